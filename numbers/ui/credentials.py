"""The organization's accounts at the providers: whose money buys, how they stand, and entering,
replacing and disabling their credentials. Of a secret only the last four characters are shown."""

from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from assistants.models import Assistant
from burki.errors import BurkiError, PermissionDenied, sentence
from burki.paging import keyset_page
from numbers.models import NumberTally
from numbers.services.checking import account_warnings, check_account
from numbers.services.entering import (
    add_account,
    change_account_settings,
    replace_account_secret,
)
from numbers.services.organization_settings import configuration, default_accounts
from numbers.ui import words
from numbers.ui.credential_forms import AccountSettingsForm, NewAccountForm, SecretForm
from organizations.credentials import change_account
from organizations.models import AuditEvent, Provider, ProviderAccount
from organizations.pages import page, see_other
from organizations.permissions import ORGANIZATION_ADMIN

_EVENTS_SHOWN = 20
_PART_WORDS = {
    "connection": "Call Control application",
    "messaging_profile": "Messaging profile",
    "public_key": "Public key",
}


@page(ORGANIZATION_ADMIN)
@require_safe
def credentials(request: HttpRequest) -> HttpResponse:
    """Who pays at each provider, and all of the organization's accounts, newest first."""
    context = {
        "paying": configuration(request.organization),
        "page": keyset_page(request, _accounts(request)),
    }
    return render(request, "numbers/credentials.html", context)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, provider: str) -> HttpResponse:
    """Credentials of one more account; they are tried before they are stored."""
    if provider not in Provider.values:
        raise Http404
    form = NewAccountForm(
        request.POST or None,
        provider=provider,
        has_default=provider in default_accounts(request.organization),
    )
    if form.is_valid():
        try:
            account = add_account(
                actor=request.actor,
                organization=request.organization,
                provider=provider,
                **form.wanted,
            )
        except PermissionDenied:
            raise
        except BurkiError as error:
            form.refuse(error)
        else:
            _tell(request, account, f"{Provider(provider).label} accepted the credentials.")
            return see_other("settings-credential", account.pk)
    context = {"form": form, "provider": Provider(provider), "providers": list(Provider)}
    return render(
        request, "numbers/credential_add.html", context, status=400 if form.is_bound else 200
    )


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def credential(request: HttpRequest, pk: int) -> HttpResponse:
    """One account: how it stands and what depends on it; POST changes its settings."""
    account = _account(request, pk)
    form = AccountSettingsForm.of(account, request.POST or None)
    if form.is_valid():
        try:
            change_account_settings(actor=request.actor, account=account, **form.cleaned_data)
        except PermissionDenied:
            raise
        except BurkiError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The settings of {account} are stored.")
            return see_other("settings-credential", pk)
    events = AuditEvent.objects.filter(
        organization=request.organization,
        object_type=ProviderAccount._meta.label,
        object_id=str(pk),
    ).order_by("-pk")[:_EVENTS_SHOWN]
    context = {
        "account": account,
        "form": form,
        "warnings": account_warnings(account),
        "parts": _parts(account),
        "events": [words.event(row) for row in events],
        **_depending(account),
    }
    return render(request, "numbers/credential.html", context, status=400 if form.is_bound else 200)


@page(ORGANIZATION_ADMIN)
@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the provider how the account stands."""
    account = _account(request, pk)
    try:
        account = check_account(actor=request.actor, account=account)
    except PermissionDenied:
        raise
    except BurkiError as error:
        messages.error(request, sentence(error))
    else:
        _tell(request, account, f"{account.get_provider_display()} answered.")
    return see_other("settings-credential", pk)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def replace_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Another secret for the same account, tried before it is stored."""
    account = _account(request, pk)
    form = SecretForm(request.POST or None, provider=account.provider)
    if form.is_valid():
        try:
            account = replace_account_secret(
                actor=request.actor, account=account, secret=form.cleaned_data["secret"]
            )
        except PermissionDenied:
            raise
        except BurkiError as error:
            form.refuse(error)
        else:
            _tell(request, account, f"The secret of {account} is replaced.")
            return see_other("settings-credential", pk)
    context = {"account": account, "form": form}
    return render(
        request, "numbers/credential_secret.html", context, status=400 if form.is_bound else 200
    )


@page(ORGANIZATION_ADMIN)
@require_POST
def make_default(request: HttpRequest, pk: int) -> HttpResponse:
    """New numbers at its provider are paid by this account from now on."""
    return _change(request, pk, "pays for new numbers from now on", is_default=True)


@page(ORGANIZATION_ADMIN)
@require_POST
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    return _change(request, pk, "is in use again", is_active=True)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once and says what would stop; POST disables."""
    if request.method == "POST":
        return _change(request, pk, "is disabled", is_active=False)
    account = _account(request, pk)
    if not account.is_active:
        return see_other("settings-credential", pk)
    context = {"account": account, **_depending(account)}
    return render(request, "numbers/credential_disable.html", context)


def _change(request: HttpRequest, pk: int, done: str, **changes: bool) -> HttpResponse:
    account = change_account(actor=request.actor, account=_account(request, pk), **changes)
    messages.success(request, f"{account} {done}.")
    return see_other("settings-credential", pk)


def _accounts(request: HttpRequest) -> QuerySet[ProviderAccount]:
    accounts = ProviderAccount.objects.filter(organization=request.organization)
    tallied = NumberTally.objects.filter(
        organization=request.organization, account_id=OuterRef("pk")
    ).inventory()
    numbers = tallied.order_by().values("account_id").values(n=Sum("numbers"))
    return accounts.select_related("organization").annotate(numbers=Coalesce(Subquery(numbers), 0))


def _account(request: HttpRequest, pk: int) -> ProviderAccount:
    return get_object_or_404(_accounts(request), pk=pk)


def _depending(account: ProviderAccount) -> dict[str, int]:
    naming = Q(twilio_account=account) | Q(telnyx_account=account)
    assistants = Assistant.objects.filter(naming, organization=account.organization_id)
    return {"numbers": account.numbers, "assistants": assistants.count()}


def _parts(account: ProviderAccount) -> list[dict[str, Any]]:
    """The connection, profile and public key that were looked at by the last check."""
    seen = [(part, account.last_check.get(part)) for part in _PART_WORDS]
    return [told | {"word": _PART_WORDS[part]} for part, told in seen if told]


def _tell(request: HttpRequest, account: ProviderAccount, done: str) -> None:
    """What was done, and what is to be known before the account spends."""
    warnings = account_warnings(account)
    told = " ".join(warnings) if warnings else "The account is in order."
    (messages.warning if warnings else messages.success)(request, f"{done} {told}")
