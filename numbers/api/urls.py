from django.urls import path
from rest_framework.routers import SimpleRouter

from numbers.api.inventory_views import InventoryViewSet
from numbers.api.proof_views import ProofViewSet
from numbers.api.views import PhoneNumberViewSet

router = SimpleRouter(trailing_slash=False)
router.register("phone-numbers", PhoneNumberViewSet, basename="phone-number")

urlpatterns = [
    *router.urls,
    *(
        path(
            f"phone-numbers/<phone_number>/{address}",
            ProofViewSet.as_view({"post": action}),
            name=f"phone-number-{address}",
        )
        for address, action in (
            ("verify", "verify"),
            ("repair", "repair"),
            ("restore-webhooks", "restore"),
        )
    ),
]

# Served under these exact paths alone.
neighbours = [
    path(
        "api/v1/assistants/organization/phone-numbers/sync",
        InventoryViewSet.as_view({"post": "sync"}),
        name="phone-number-sync",
    ),
]
