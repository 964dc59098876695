"""The admin's page that buys numbers: for an organization, or for several organizations or
assistants that were selected in their lists. Choose a number for each, look at the prices, buy."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from assistants.admin import AssistantAdmin
from assistants.models import Assistant
from burki.errors import BurkiError, sentence
from burki.throttling import TooManyRequests, told_to_wait, within_limits
from numbers import clocks
from numbers.admin_quotes import Buyer, Line, NumberForm, OrganizationForm, Quote, total
from numbers.clocks import Deadline
from numbers.exceptions import PriceChanged
from numbers.models import Purchase
from numbers.services.preview import preview_purchase
from numbers.services.purchase import Purchased, purchase_number
from numbers.services.search import Found, clean_criteria, search_numbers
from organizations.admin import OrganizationAdmin, admin_actor
from organizations.models import Organization

PURCHASE_PERMISSION = "numbers.purchase_phonenumber"
MOST = 10  # purchases of one page: they are made one after the other
_FOUND = 10  # numbers shown of a search
_PAGE = "admin:numbers_phonenumber_purchase"


class Purchasing:
    """For a `ModelAdmin`: who may buy."""

    def has_purchase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PURCHASE_PERMISSION)


class PurchasingForRows(Purchasing):
    """For a `ModelAdmin` whose rows somebody can buy numbers for."""

    actions = ["purchase_numbers"]

    @admin.action(description="Purchase number", permissions=["purchase"])
    def purchase_numbers(self, request: HttpRequest, rows: QuerySet) -> HttpResponse | None:
        """Go to the page that asks for each row's number; nothing is bought yet."""
        chosen = list(rows.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
        if len(chosen) > MOST:
            self.message_user(
                request, f"Select at most {MOST} rows. Nothing was bought.", messages.ERROR
            )
            return None
        query = urlencode({self.opts.model_name: chosen}, doseq=True)
        return redirect(f"{reverse(_PAGE)}?{query}")


# The apps below cannot know ours: their own pages of the admin are replaced by pages that can buy.
admin.site.unregister([Organization, Assistant])


@admin.register(Organization)
class BuyingOrganizationAdmin(PurchasingForRows, OrganizationAdmin):
    pass


@admin.register(Assistant)
class BuyingAssistantAdmin(PurchasingForRows, AssistantAdmin):
    pass


class PurchasePage(Purchasing):
    """For the `ModelAdmin` of phone numbers: the page, and the button that leads to it."""

    change_list_template = "admin/numbers/phonenumber/change_list.html"

    def get_urls(self) -> list:
        view = self.admin_site.admin_view(self.purchase_view)
        return [path("purchase/", view, name="numbers_phonenumber_purchase"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None):
        extra = {"may_purchase": self.has_purchase_permission(request)}
        return super().changelist_view(request, extra | (extra_context or {}))

    def purchase_view(self, request: HttpRequest) -> HttpResponse:
        """Choose, confirm, buy. Not in a transaction, as the admin's own add view would be: a
        provider is never called inside one."""
        if not self.has_purchase_permission(request):
            raise PermissionDenied
        buyers = _buyers(request)
        if not buyers:
            return self._whom(request)
        if "buy" in request.POST:
            return self.buy_numbers(request)
        if request.method != "POST":
            return self._choose(request, [NumberForm(buyer=buyer) for buyer in buyers])
        forms = [NumberForm(_posted(request), buyer=buyer) for buyer in buyers]
        if "continue" in request.POST and _complete(forms):
            return self._confirm(request, forms)
        return self._choose(request, forms)

    def buy_numbers(self, request: HttpRequest) -> HttpResponse:
        """SPENDS MONEY. Buy what the page offered, one number after the other, each once however
        often the page is sent. What one of them meets does not stop the others."""
        try:
            quotes = [Quote.read(text, request.user) for text in request.POST.getlist("quote")]
        except BurkiError as error:
            self.message_user(request, sentence(error), messages.ERROR)
            return redirect(request.get_full_path())
        actor = admin_actor(request)
        organizations = Organization.objects.in_bulk({quote.organization for quote in quotes})
        try:  # all of them, or nothing is bought
            for quote in quotes[:MOST]:
                within_limits("purchase", actor, organizations[quote.organization])
        except TooManyRequests as error:
            self.message_user(request, f"Nothing was bought. {error.detail}", messages.ERROR)
            forms = [NumberForm(buyer=buyer) for buyer in _buyers(request)]
            return told_to_wait(self._choose(request, forms), error)
        enough = Deadline.after(clocks.REQUEST)
        purchase = None
        for quote in quotes[:MOST]:
            if enough.expired:
                self.message_user(
                    request,
                    f"{quote.phone_number} was not tried this time: the others took too long. "
                    "Look at the purchases, then try it again.",
                    messages.WARNING,
                )
                continue
            try:
                done = purchase_number(
                    actor=actor,
                    organization=organizations[quote.organization],
                    **quote.asked(),
                )
            except BurkiError as error:
                done = error
            purchase = getattr(done, "purchase", None)
            level, said = _told(done, quote)
            self.message_user(request, _with_link(said, purchase), level)
        if len(quotes) > 1:
            return redirect(_origin(request))
        if purchase is None:
            return redirect(request.get_full_path())
        return redirect("admin:numbers_purchase_change", purchase.pk)

    def _whom(self, request: HttpRequest) -> HttpResponse:
        """Nobody was selected: choose the organization."""
        return self._page(request, "purchase_whom", form=OrganizationForm())

    def _choose(self, request: HttpRequest, forms: list[NumberForm]) -> HttpResponse:
        """The numbers to buy; below the row that was searched for, what its provider has."""
        searched, found, failure, refused = request.POST.get("search"), [], "", None
        form = next((form for form in forms if form.prefix == searched), None)
        if form is not None and form.is_valid():
            try:
                found = _search(request, form, forms)
                failure = "" if found else "The provider has no such number."
            except BurkiError as error:
                failure, refused = sentence(error), error
        page = self._page(
            request, "purchase", forms=forms, searched=form, found=found, failure=failure
        )
        return told_to_wait(page, refused)

    def _confirm(self, request: HttpRequest, forms: list[NumberForm]) -> HttpResponse:
        actor = admin_actor(request)
        lines = []
        for form in forms:
            wanted = form.wanted()
            try:
                within_limits("search", actor, form.buyer.organization)
                preview = preview_purchase(actor=actor, **wanted)
            except BurkiError as error:
                lines.append(Line(buyer=form.buyer, wanted=wanted, problem=error))
                continue
            offered = preview.problem is None
            quote = Quote.of(request.user, form.buyer, wanted, preview).signed() if offered else ""
            lines.append(
                Line(
                    buyer=form.buyer,
                    wanted=wanted,
                    preview=preview,
                    problem=preview.problem,
                    quote=quote,
                )
            )
        offered = [line for line in lines if line.quote]
        page = self._page(
            request,
            "purchase_confirm",
            forms=forms,
            lines=lines,
            offered=len(offered),
            total=total(lines),
        )
        return told_to_wait(page, *[line.problem for line in lines])

    def _page(self, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
        context |= self.admin_site.each_context(request) | {
            "title": "Purchase number" if len(context.get("forms", "")) < 2 else "Purchase numbers",
            "opts": self.model._meta,
            "back": reverse("admin:numbers_phonenumber_changelist"),
        }
        return TemplateResponse(request, f"admin/numbers/phonenumber/{template}.html", context)


def _buyers(request: HttpRequest) -> list[Buyer]:
    """Whom the address names. Raises `Http404` when it names somebody who is not there."""
    organizations = _named(request, Organization.objects.all())
    assistants = _named(request, Assistant.objects.select_related("organization"))
    found = [Buyer(organization=one) for one in organizations]
    found += [Buyer(organization=one.organization, assistant=one) for one in assistants]
    if len(found) > MOST:
        raise Http404
    return found


def _origin(request: HttpRequest) -> str:
    """The list where they were selected."""
    lists = "assistants_assistant" if "assistant" in request.GET else "organizations_organization"
    return reverse(f"admin:{lists}_changelist")


def _named(request: HttpRequest, rows: QuerySet) -> list[Model]:
    given = request.GET.getlist(rows.model._meta.model_name)
    if not all(pk.isascii() and pk.isdigit() and len(pk) < 19 for pk in given):
        raise Http404
    found = list(rows.filter(pk__in=given).order_by("pk")) if given else []
    if len(found) != len(set(given)):
        raise Http404
    return found


def _posted(request: HttpRequest) -> dict[str, str]:
    """What was entered; choosing a number that was found enters it."""
    posted = request.POST.dict()
    prefix, _, number = posted.get("choose", "").partition(":")
    if number:
        posted[f"{prefix}-phone_number"] = number
    return posted


def _complete(forms: list[NumberForm]) -> bool:
    """Whether each row has a number of its own; otherwise the forms say what is wrong."""
    taken: dict[tuple[str, str], Buyer] = {}
    for form in forms:
        if not form.is_valid():
            continue
        number = form.cleaned_data["phone_number"]
        if not number:
            form.add_error("phone_number", "Enter a number, or search for one.")
            continue
        other = taken.setdefault((form.cleaned_data["provider"], number), form.buyer)
        if other is not form.buyer:
            form.add_error("phone_number", f"{other} gets this number: choose another.")
    return all(form.is_valid() for form in forms)


def _search(request: HttpRequest, form: NumberForm, forms: list[NumberForm]) -> list[Found]:
    """Numbers for one row; what is entered in another is not offered twice."""
    actor, wanted = admin_actor(request), form.wanted()
    within_limits("search", actor, form.buyer.organization)
    entered = {other["phone_number"].value() for other in forms if other is not form}
    result = search_numbers(
        actor=actor,
        organization=form.buyer.organization,
        provider=wanted["provider"],
        criteria=clean_criteria(**form.criteria(), limit=_FOUND),
        assistant_id=wanted["assistant_id"],
    )
    return [one for one in result.numbers if one.number.phone_number not in entered]


def _told(done: Purchased | BurkiError, quote: Quote) -> tuple[int, str]:
    """What became of one purchase, and how good that is."""
    what = f"{quote.phone_number} for {quote.whom}"
    if isinstance(done, PriceChanged):
        again = "Nothing was bought; look at the new price, then buy."
        return messages.ERROR, f"{what}: {done.detail} {again}"
    if isinstance(done, BurkiError):
        doubt = getattr(done, "code", "") in ("outcome_unknown", "purchase_in_progress")
        return messages.WARNING if doubt else messages.ERROR, f"{what}: {sentence(done)}"
    said = "is bought."
    if done.purchase.state == Purchase.State.PENDING:
        said = f"is ordered; {quote.provider} has not confirmed it yet."
    if done.replayed:
        said += " The page was sent before: it is one purchase."
    return messages.SUCCESS, f"{what} {said}"


def _with_link(said: str, purchase: Purchase | None) -> str:
    if purchase is None:
        return said
    address = reverse("admin:numbers_purchase_change", args=[purchase.pk])
    return format_html('{} <a href="{}">See the purchase</a>', said, address)
