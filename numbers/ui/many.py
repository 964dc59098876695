"""Buying many numbers: saying which, confirming the total. Watching them is in `bulks`."""

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from burki.errors import BurkiError, InvalidRequest
from burki.throttling import told_to_wait, within_limits
from numbers.exceptions import IdempotencyKeyReused
from numbers.models import BulkPurchase
from numbers.services.bulk import LANES, ask_for_many
from numbers.services.bulk_estimate import Estimate, estimate_many
from numbers.ui.buying import see_other
from numbers.ui.many_forms import CRITERIA, AmountForm, ManyForm
from numbers.ui.many_words import wanted
from numbers.ui.quotes import ManyQuote, asked_for, many_key
from organizations.pages import page
from organizations.permissions import NUMBERS_PURCHASE

_DEFAULTS = {
    "kind": CRITERIA,
    "provider": "twilio",
    "quantity": 10,
    "country_code": "US",
    "number_type": "local",
}
_DRAFTS, _DRAFTS_KEPT = "many", 5


@page(NUMBERS_PURCHASE)
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Which numbers, for whom, for how much at most. POST buys nothing: it leads to the page that
    says what they would cost, whose address is the key of the purchase."""
    if request.method == "POST":
        form = ManyForm(request.POST, organization=request.organization)
        if form.is_valid():
            return see_other("buy-many-confirm", _keep_draft(request, form))
    else:
        given = {name: value for name, value in request.GET.items() if value}
        initial = _draft(request, given.get("draft", "")) or _DEFAULTS | given
        form = ManyForm(initial=initial, organization=request.organization)
    return render(request, "numbers/many.html", {"form": form}, status=400 if form.errors else 200)


@page(NUMBERS_PURCHASE)
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, key: UUID) -> HttpResponse:
    """GET shows what buying them would cost; POST asks the worker to buy them."""
    if request.method == "POST":
        return buy_many(request, key)
    bulk = _bulk_of(request, key)
    if bulk is not None:  # somebody went back
        messages.info(request, "That page had been used already, for this. Nothing new was bought.")
        return see_other("bulk", bulk.pk)
    form = ManyForm(_draft(request, str(key)), organization=request.organization)
    if not form.is_valid():
        messages.info(request, "Nothing was bought. Say once more which numbers to buy.")
        return see_other("buy-many")
    return _confirm_page(request, str(key), form.asked())


def buy_many(request: HttpRequest, key: UUID) -> HttpResponse:
    """SPENDS MONEY, later, in the worker. Ask for what the confirm page showed, for no more than it
    showed, once."""
    quote = ManyQuote.read(request.POST.get("quote", ""))
    if quote.organization != request.organization.pk or quote.key != str(key):
        raise InvalidRequest(
            f"You work in {request.organization} now, and this page was made for something else. "
            "Nothing was bought.",
            hint="Switch back to buy for the other organization, or say once more what to buy.",
        )
    if _is_large(quote):
        form = AmountForm(request.POST, amount=quote.amount, currency=quote.currency)
        if not form.is_valid() and _bulk_of(request, key) is None:
            return _confirm_page(request, quote.key, quote.asked, typed=form, status=400)
    try:
        within_limits("purchase", request.actor, request.organization)
        asked = ask_for_many(
            actor=request.actor,
            organization=request.organization,
            idempotency_key=quote.idempotency_key,
            **asked_for(quote.asked) | {"max_total_cost": quote.amount},
        )
    except IdempotencyKeyReused:  # the page was open twice, with different prices
        messages.info(request, "That page had been used already, for this. Nothing new was bought.")
        return see_other("bulk", _bulk_of(request, key).pk)
    except BurkiError as error:
        return _confirm_page(request, quote.key, quote.asked, error=error, status=409)
    if asked.replayed:
        messages.info(request, "The page was sent more than once. It is one purchase, made once.")
    return see_other("bulk", asked.bulk.pk)


def _confirm_page(
    request: HttpRequest,
    key: str,
    asked: dict[str, Any],
    *,
    typed: AmountForm | None = None,
    error: BurkiError | None = None,
    status: int = 200,
) -> HttpResponse:
    """What it would cost now. The key stays: nothing was bought with it."""
    estimate, failure = None, None
    terms = asked_for(asked)
    name = terms.pop("friendly_name")
    try:
        within_limits("search", request.actor, request.organization)
        estimate = estimate_many(actor=request.actor, organization=request.organization, **terms)
    except BurkiError as why:
        failure = why
    quote = None
    if estimate is not None and estimate.cap is not None and _has_any(estimate):
        quote = ManyQuote.of(request.organization, key, asked, estimate)
    if quote is not None and _is_large(quote) and (typed is None or typed.amount != quote.amount):
        typed = AmountForm(amount=quote.amount, currency=quote.currency)
    context = {
        "draft": key,
        "wanted": wanted(asked),
        "provider": asked["provider"],
        "numbers": asked["phone_numbers"] or [],
        "name": name,
        "asked": terms,
        "estimate": estimate,
        "trouble": error or failure,
        "quote": quote and quote.signed(),
        "typed": typed if quote is not None and _is_large(quote) else None,
        "lanes": LANES,
    }
    response = render(request, "numbers/many_confirm.html", context, status=status)
    return told_to_wait(response, error or failure)


def _has_any(estimate: Estimate) -> bool:
    return estimate.quantity > 0 and estimate.seen > 0


def _is_large(quote: ManyQuote) -> bool:
    return quote.amount >= settings.CONFIRM_TYPED_ABOVE


def _bulk_of(request: HttpRequest, key: UUID) -> BulkPurchase | None:
    """What was bought with the page of this key, if anything was."""
    rows = BulkPurchase.objects.filter(organization=request.organization)
    return rows.filter(idempotency_key=many_key(key)).first()


# --- What somebody is about to ask for ------------------------------------------------------------


def _keep_draft(request: HttpRequest, form: ManyForm) -> str:
    """Keep what was typed, under a new key."""
    key = str(uuid4())
    typed = {name: form.data.get(name, "") for name in form.fields}
    drafts = request.session.get(_DRAFTS, {}) | {
        key: {"organization": request.organization.pk, "typed": typed}
    }
    request.session[_DRAFTS] = dict(list(drafts.items())[-_DRAFTS_KEPT:])
    return key


def _draft(request: HttpRequest, key: str) -> dict[str, str] | None:
    draft = request.session.get(_DRAFTS, {}).get(key)
    mine = draft is not None and draft["organization"] == request.organization.pk
    return draft["typed"] if mine else None
