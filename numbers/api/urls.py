from django.urls import path
from rest_framework.routers import SimpleRouter

from numbers.api.bulk_views import BulkViewSet
from numbers.api.inventory_views import InventoryViewSet
from numbers.api.views import PhoneNumberViewSet

router = SimpleRouter(trailing_slash=False)
# First: the number of a phone number may be anything but a slash.
router.register("phone-numbers/bulk-purchases", BulkViewSet, basename="bulk-purchase")
router.register("phone-numbers", PhoneNumberViewSet, basename="phone-number")

urlpatterns = router.urls

# Served under these exact paths alone.
neighbours = [
    path(
        "api/v1/assistants/organization/phone-numbers/sync",
        InventoryViewSet.as_view({"post": "sync"}),
        name="phone-number-sync",
    ),
]
