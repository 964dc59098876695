"""Confirming a number, buying it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from burki.errors import BurkiError, InvalidRequest
from burki.throttling import told_to_wait, within_limits
from numbers.exceptions import IdempotencyKeyReused, NumberAlreadyOwned
from numbers.models import PhoneNumber
from numbers.services.preview import Preview, preview_purchase
from numbers.services.purchase import purchase_number
from numbers.ui.forms import ConfirmForm, NumberForm
from numbers.ui.quotes import Quote
from numbers.ui.searching import near_by
from organizations.pages import page, see_other
from organizations.permissions import NUMBERS_PURCHASE


@page(NUMBERS_PURCHASE)
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """GET shows what buying a number would do; POST buys it."""
    if request.method == "POST":
        return buy_number(request)
    number = NumberForm(request.GET or None)
    if not number.is_valid():
        return render(
            request, "numbers/exact.html", {"form": number}, status=400 if number.is_bound else 200
        )
    choice = ConfirmForm(request.GET, organization=request.organization)
    return _confirm_page(request, number.cleaned_data, choice)


def buy_number(request: HttpRequest) -> HttpResponse:
    """SPENDS MONEY. Buy what the confirm page showed, for what it showed, once."""
    quote = Quote.read(request.POST.get("quote", ""))
    if quote.organization != request.organization.pk:
        raise InvalidRequest(
            f"You work in {request.organization} now, and this page was made for another "
            "organization. Nothing was bought.",
            hint="Switch back to buy for the other one, or look for a number again.",
        )
    number = {"provider": quote.provider, "phone_number": quote.phone_number}
    choice = ConfirmForm(request.POST, organization=request.organization)
    if not choice.is_valid():
        return _confirm_page(request, number, choice, quote=quote, status=400)
    if "update" in request.POST or _assistant_id(choice) != quote.assistant_id:
        return _look_again(request, number, choice)
    try:
        within_limits("purchase", request.actor, request.organization)
        bought = purchase_number(
            actor=request.actor,
            organization=request.organization,
            **number,
            **_chosen(choice),
            idempotency_key=quote.idempotency_key,
            **quote.most,
        )
    except BurkiError as error:
        purchase = getattr(error, "purchase", None)
        if purchase is None:
            return _confirm_page(request, number, choice, quote=quote, error=error, status=409)
        _tell_of_repeat(request, error)
        return see_other("purchase", purchase.pk)
    _tell_of_repeat(request, bought)
    return see_other("purchase", bought.purchase.pk)


def _tell_of_repeat(request: HttpRequest, answer: Any) -> None:
    """Say so when the page was sent before: the purchase that follows is not a second one."""
    if isinstance(answer, IdempotencyKeyReused):
        sentence = "That page had been used already, for this purchase. Nothing new was bought."
    elif isinstance(answer, NumberAlreadyOwned):
        sentence = "Your organization already has this number. Nothing new was bought."
    elif answer.replayed:
        sentence = "The page was sent more than once. It is one purchase, made once."
    else:
        return
    messages.info(request, sentence)


def _look_again(request: HttpRequest, number: dict, choice: ConfirmForm) -> HttpResponse:
    """The same page for another assistant: whose account pays may depend on it."""
    if "update" not in request.POST:
        messages.warning(
            request, "You chose another assistant. Nothing was bought: look once more, then buy."
        )
    return see_other(confirm_url(number, **_chosen(choice)))


def confirm_url(
    number: dict[str, str], assistant_id: Any = None, friendly_name: str | None = None
) -> str:
    """The confirm page of a number with what was chosen."""
    chosen = {"assistant": assistant_id or "", "friendly_name": friendly_name or ""}
    return f"{reverse('confirm')}?{urlencode(number | chosen)}"


def _confirm_page(
    request: HttpRequest,
    number: dict[str, str],
    choice: ConfirmForm,
    *,
    quote: Quote | None = None,
    error: BurkiError | None = None,
    status: int = 200,
) -> HttpResponse:
    """What would happen now. An old quote keeps its key: nothing was bought with it."""
    preview, failure = None, None
    if choice.is_valid():
        try:
            within_limits("search", request.actor, request.organization)
            preview = preview_purchase(
                actor=request.actor,
                organization=request.organization,
                **number,
                **_chosen(choice),
            )
        except BurkiError as why:
            failure = why
    if preview is not None:
        fresh = Quote.of(request.organization, preview)
        quote = fresh if quote is None else replace(fresh, key=quote.key)
    problem = failure or (preview and preview.problem)
    owned = None
    if isinstance(problem, NumberAlreadyOwned):
        owned = PhoneNumber.objects.visible_to(request.organization).live().filter(**number).first()
    trouble = error or problem
    near = None
    if trouble and trouble.code == "number_unavailable":
        chosen = choice["assistant"].value(), choice["friendly_name"].value()
        near = near_by(number["phone_number"], *chosen)
    context = {
        "number": number,
        "here": confirm_url(number, choice["assistant"].value(), choice["friendly_name"].value()),
        "this_number": f"{reverse('confirm')}?{urlencode(number)}",
        "form": choice,
        "preview": preview,
        "due": preview and _due_now(preview),
        "trouble": trouble,
        "near": near,
        "owned": owned,
        "quote": quote and quote.signed(),
        "may_buy": preview is not None and preview.problem is None,
    }
    response = render(request, "numbers/confirm.html", context, status=status)
    return told_to_wait(response, error or failure)


def _due_now(preview: Preview) -> Decimal | None:
    """Set-up and the first month."""
    price = preview.price
    return None if price.monthly is None else price.monthly + (price.setup or 0)


def _chosen(choice: ConfirmForm) -> dict[str, Any]:
    return {
        "assistant_id": _assistant_id(choice),
        "friendly_name": choice.cleaned_data["friendly_name"],
    }


def _assistant_id(choice: ConfirmForm) -> int | None:
    assistant = choice.cleaned_data["assistant"]
    return assistant and assistant.pk
