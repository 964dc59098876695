"""Finding a number to buy, and numbers near by one that is gone."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from assistants.models import Assistant
from burki.errors import BurkiError, InvalidRequest
from burki.throttling import TooManyRequests, told_to_wait, within_limits
from numbers.assistant_field import AssistantField
from numbers.e164 import area_code_of, country_of, number_type_of
from numbers.exceptions import SearchFailed
from numbers.services.requests import FRIENDLY_NAME_MAX
from numbers.services.search import ALL, Found, search_numbers
from numbers.ui.forms import NumberForm, SearchForm
from organizations.models import Provider
from organizations.pages import page
from organizations.permissions import NUMBERS_PURCHASE

_DEFAULTS = {"provider": ALL, "country_code": "US", "number_type": "local"}
_FEW = 5  # of each provider, in place of one that is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One provider's answer to a search, or a `few` of it; `later` is where it can be asked for by
    itself, and `chosen` what the confirm page of a number is told, as in an address."""

    provider: str
    found: list[Found] = field(default_factory=list)
    error: BurkiError | None = None
    later: str = ""
    few: bool = False
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was chosen for a number before there is one: it goes along until one is bought."""

    assistant: Assistant | None = None
    friendly_name: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> "Wish":
        """An assistant that the organization does not have is none."""
        assistant = None
        if named := request.GET.get("assistant"):
            with suppress(ValidationError):
                assistant = AssistantField(organization=request.organization).clean(named)
        name = request.GET.get("friendly_name", "")[:FRIENDLY_NAME_MAX]
        return cls(assistant=assistant, friendly_name=name)

    @property
    def query(self) -> dict[str, Any]:
        return _wish(self.assistant and self.assistant.pk, self.friendly_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class NearBy:
    """Where numbers like one that is gone are found: on a page of their own, and a few of them as
    a part of another page."""

    page: str
    few: str


def near_by(phone_number: str, assistant_id: Any, friendly_name: str | None) -> NearBy:
    """At both providers, with what had been chosen for the number."""
    query = {
        "country_code": country_of(phone_number) or "US",
        "area_code": area_code_of(phone_number),
        "number_type": number_type_of(phone_number),
    } | _wish(assistant_id, friendly_name)
    search = reverse("search")
    few = urlencode(query | {"gone": phone_number})
    return NearBy(page=f"{search}?{urlencode(query)}", few=f"{search}?{few}")


def _wish(assistant_id: Any, friendly_name: str | None) -> dict[str, Any]:
    given = {"assistant": assistant_id, "friendly_name": friendly_name}
    return {name: value for name, value in given.items() if value}


@page(NUMBERS_PURCHASE)
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """What to look for, and what both providers have. With a script each column comes when its
    provider has answered, otherwise the page comes when both have."""
    form, wish = _search_form(request), Wish.of(request)
    columns = []
    if form.is_bound and form.is_valid():
        later = request.htmx and not request.htmx.history_restore_request
        columns = _later(request, form, wish) if later else _columns(request, form, wish)
    context = {
        "form": form,
        "wish": wish,
        "columns": columns,
        "number_form": NumberForm(auto_id="exact_%s"),
    }
    response = render(request, "numbers/search.html", context)
    return told_to_wait(response, *[column.error for column in columns])


@page(NUMBERS_PURCHASE)
@require_safe
def results(request: HttpRequest) -> HttpResponse:
    """One provider's column of a search, to be put into a page; a few of it when they are to take
    the place of a number that is `gone`."""
    form = _search_form(request)
    if not form.is_valid() or form.cleaned_data["provider"] not in Provider.values:
        raise InvalidRequest("This address does not name a search at one provider.")
    (column,) = _columns(request, form, Wish.of(request))
    if gone := request.GET.get("gone"):
        others = [one for one in column.found if one.number.phone_number != gone]
        column = replace(column, found=others[:_FEW], few=True)
    return told_to_wait(render(request, "numbers/column.html", {"column": column}), column.error)


def _search_form(request: HttpRequest) -> SearchForm:
    if not request.GET:
        return SearchForm(initial=_DEFAULTS)
    given = {name: value for name, value in request.GET.items() if value}
    return SearchForm(_DEFAULTS | given)


def _asked(form: SearchForm) -> list[str]:
    provider = form.cleaned_data["provider"]
    return list(Provider.values) if provider == ALL else [provider]


def _later(request: HttpRequest, form: SearchForm, wish: Wish) -> list[Column]:
    address = reverse("search-results")
    query = {name: form[name].value() or "" for name in form.fields} | wish.query
    if gone := request.GET.get("gone"):
        query["gone"] = gone
    return [
        Column(provider=name, later=f"{address}?{urlencode(query | {'provider': name})}")
        for name in _asked(form)
    ]


def _columns(request: HttpRequest, form: SearchForm, wish: Wish) -> list[Column]:
    provider = form.cleaned_data["provider"]
    try:
        within_limits("search", request.actor, request.organization)
        result = search_numbers(
            actor=request.actor,
            organization=request.organization,
            provider=provider,
            criteria=form.cleaned_data["criteria"],
            assistant_id=wish.assistant and wish.assistant.pk,
        )
    except SearchFailed as error:
        failures = error.failures or {provider: error}
        return [Column(provider=name, error=failures[name]) for name in _asked(form)]
    except TooManyRequests as error:
        return [Column(provider=name, error=error) for name in _asked(form)]
    except BurkiError as error:
        if provider == ALL:
            raise
        return [Column(provider=provider, error=error)]
    return [
        Column(
            provider=name,
            found=[one for one in result.numbers if one.provider == name],
            error=result.failures.get(name),
            chosen=urlencode(wish.query),
        )
        for name in _asked(form)
    ]
