"""`urlpatterns` are served under `/` and `/api/v1/` alike, `neighbours` under their exact paths."""

from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from burki.api import JSONArrayParser, JSONOrFormParser, LabelledFormParser
from numbers.api.activity_views import ActivityViewSet, SigningSecretViewSet
from numbers.api.assignment_views import AssignmentViewSet, NumberListViewSet
from numbers.api.bulk_views import BulkViewSet
from numbers.api.caller_id_views import CallerIdViewSet
from numbers.api.inventory_views import InventoryViewSet
from numbers.api.organization_views import OrganizationViewSet, ProviderAccountViewSet
from numbers.api.proof_views import ProofViewSet
from numbers.api.report_views import ReportFileViewSet, ReportViewSet
from numbers.api.setup_views import NumberSetupViewSet
from numbers.api.views import PhoneNumberViewSet

router = SimpleRouter(trailing_slash=False)
# First: the number of a phone number may be anything but a slash.
router.register("phone-numbers/bulk-purchases", BulkViewSet, basename="bulk-purchase")
router.register("phone-numbers", PhoneNumberViewSet, basename="phone-number")

_setup = NumberSetupViewSet.as_view
_callers = CallerIdViewSet.as_view
_either = [JSONOrFormParser, LabelledFormParser]

# Before the router's: a number's own route would take their words for numbers.
urlpatterns = [
    path("phone-numbers/countries", _setup({"get": "countries"})),
    *(
        path(
            f"phone-numbers/reports/{name}{ending}",
            views.as_view({"get": name.replace("-", "_")}),
            name=f"report-{name}{ending.replace('.', '-')}",
        )
        for name in ("spending", "unused", "price-comparison")
        for ending, views in (("", ReportViewSet), (".csv", ReportFileViewSet))
    ),
    path("phone-numbers/webhooks", _setup({"put": "update_webhooks"})),
    path(
        "phone-numbers/organization/sync-verified-caller-ids",
        _callers({"post": "sync"}, parser_classes=_either),
    ),
    path(
        "phone-numbers/organization/add-verified-caller-id",
        _callers({"post": "add"}, parser_classes=_either),
    ),
    path("phone-numbers/<str:phone_number>/diagnose", _setup({"get": "diagnose"})),
    path("phone-numbers/<str:phone_number>/webhooks", _setup({"get": "webhooks"})),
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

_sync = InventoryViewSet.as_view({"post": "sync"})
_assign = AssignmentViewSet.as_view
_list = NumberListViewSet.as_view
_account = ProviderAccountViewSet.as_view
_settings = OrganizationViewSet.as_view
_inventory = "api/v1/assistants/organization/phone-numbers"
_assistant = "api/v1/assistants/<int:assistant_id>"
_numbers = f"{_assistant}/phone-numbers"
_of_js = "api/v1/assistants/phonenumbers/<int:number_id>"  # the JavaScript client's paths
_organization = "api/v1/organization"
_accounts = f"{_organization}/provider-accounts"

neighbours = [
    path(f"{_inventory}/sync", _sync, name="phone-number-sync"),
    path(f"{_organization}/phone-numbers/sync", _sync),
    path(_inventory, _list({"get": "organization"})),
    path(f"{_inventory}/available", _list({"get": "available"})),
    path(f"{_inventory}/<int:number_id>", _assign({"patch": "change"})),
    path(_numbers, _list({"get": "of_assistant"})),
    path(f"{_assistant}/available-phone-numbers", _list({"get": "available"})),
    path(
        f"{_numbers}/bulk-assign",
        _assign({"post": "bulk_assign"}, parser_classes=[JSONArrayParser]),
    ),
    path(f"{_numbers}/assign-by-number", _assign({"post": "assign_by_number"})),
    path(f"{_numbers}/unassign-by-number", _assign({"post": "unassign_by_number"})),
    path(f"{_numbers}/<int:number_id>/assign", _assign({"post": "assign"})),
    path(f"{_numbers}/<int:number_id>/unassign", _assign({"post": "unassign"})),
    path(f"{_of_js}/assign", _assign({"post": "assign_to"})),
    path(f"{_of_js}/unassign", _assign({"post": "unassign"})),
    path(
        f"{_assistant}/signing-secret",
        SigningSecretViewSet.as_view({"post": "rotate"}),
        name="signing-secret",
    ),
    path(_organization, _settings({"get": "retrieve", "put": "update"}), name="organization"),
    path(
        f"{_organization}/twilio/validate",
        _settings({"post": "validate_twilio"}),
        name="organization-validate-twilio",
    ),
    path(
        f"{_organization}/telnyx/validate",
        _settings({"post": "validate_telnyx"}),
        name="organization-validate-telnyx",
    ),
    path(
        f"{_organization}/configuration-status",
        _settings({"get": "configuration_status"}),
        name="organization-configuration-status",
    ),
    path(_accounts, _account({"get": "list"}), name="provider-accounts"),
    path(
        f"{_accounts}/<account_id>",
        _account({"get": "retrieve", "patch": "partial_update"}),
        name="provider-account",
    ),
    path(
        f"{_accounts}/<account_id>/check",
        _account({"post": "check"}),
        name="provider-account-check",
    ),
]
