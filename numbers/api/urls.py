"""`urlpatterns` are served under `/` and `/api/v1/` alike, `neighbours` under their exact paths."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from burki.api import JSONArrayParser, JSONOrFormParser, LabelledFormParser
from numbers.api.assignment_views import AssignmentViewSet, NumberListViewSet
from numbers.api.inventory_views import InventoryViewSet
from numbers.api.setup_views import CallerIdViewSet, NumberSetupViewSet
from numbers.api.views import PhoneNumberViewSet

router = SimpleRouter(trailing_slash=False)
router.register("phone-numbers", PhoneNumberViewSet, basename="phone-number")

_setup = NumberSetupViewSet.as_view
_callers = CallerIdViewSet.as_view
_either = [JSONOrFormParser, LabelledFormParser]

# Before the router's: a number's own route would take their words for numbers.
urlpatterns = [
    path("phone-numbers/countries", _setup({"get": "countries"})),
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
]

_sync = InventoryViewSet.as_view({"post": "sync"})
_assign = AssignmentViewSet.as_view
_list = NumberListViewSet.as_view
_organization = "api/v1/assistants/organization/phone-numbers"
_assistant = "api/v1/assistants/<int:assistant_id>"
_numbers = f"{_assistant}/phone-numbers"
_of_js = "api/v1/assistants/phonenumbers/<int:number_id>"  # the JavaScript client's paths

neighbours = [
    path(f"{_organization}/sync", _sync, name="phone-number-sync"),
    path("api/v1/organization/phone-numbers/sync", _sync),
    path(_organization, _list({"get": "organization"})),
    path(f"{_organization}/available", _list({"get": "available"})),
    path(f"{_organization}/<int:number_id>", _assign({"patch": "change"})),
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
]
