from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from numbers.api.activity_views import ActivityViewSet, SigningSecretViewSet
from numbers.api.inventory_views import InventoryViewSet
from numbers.api.organization_views import OrganizationViewSet, ProviderAccountViewSet
from numbers.api.proof_views import ProofViewSet
from numbers.api.views import PhoneNumberViewSet

router = SimpleRouter(trailing_slash=False)
router.register("phone-numbers", PhoneNumberViewSet, basename="phone-number")

urlpatterns = [
    *router.urls,
    *(
        re_path(
            rf"^phone-numbers/(?P<phone_number>[^/]+)/{what}$",
            ActivityViewSet.as_view({"get": what}),
            name=f"phone-number-{what}",
        )
        for what in ("calls", "messages")
    ),
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
    path(
        "api/v1/organization",
        OrganizationViewSet.as_view({"get": "retrieve", "put": "update"}),
        name="organization",
    ),
    path(
        "api/v1/organization/twilio/validate",
        OrganizationViewSet.as_view({"post": "validate_twilio"}),
        name="organization-validate-twilio",
    ),
    path(
        "api/v1/organization/telnyx/validate",
        OrganizationViewSet.as_view({"post": "validate_telnyx"}),
        name="organization-validate-telnyx",
    ),
    path(
        "api/v1/organization/configuration-status",
        OrganizationViewSet.as_view({"get": "configuration_status"}),
        name="organization-configuration-status",
    ),
    path(
        "api/v1/organization/provider-accounts",
        ProviderAccountViewSet.as_view({"get": "list"}),
        name="provider-accounts",
    ),
    path(
        "api/v1/organization/provider-accounts/<account_id>",
        ProviderAccountViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="provider-account",
    ),
    path(
        "api/v1/organization/provider-accounts/<account_id>/check",
        ProviderAccountViewSet.as_view({"post": "check"}),
        name="provider-account-check",
    ),
    path(
        "api/v1/assistants/<int:assistant_id>/signing-secret",
        SigningSecretViewSet.as_view({"post": "rotate"}),
        name="signing-secret",
    ),
]
