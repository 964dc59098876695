"""Provider accounts in the Django admin: credentials are tried before they are stored, go in and
never come out; "check now" asks the provider how an account stands."""

from typing import Any

from django import forms
from django.contrib import admin, messages

from burki.errors import BurkiError, InvalidRequest, sentence
from burki.text import money
from numbers.services.checking import account_warnings, check_account, keep_result, result_of
from numbers.services.proving import Proven, prove_credentials
from organizations.admin import KeptAdmin, admin_actor
from organizations.credentials import (
    change_account,
    check_settings,
    replace_secret,
    store_credentials,
)
from organizations.models import ProviderAccount
from organizations.permissions import ORGANIZATION_ADMIN

_SETTINGS = ["label", "connection_id", "messaging_profile_id", "public_key"]


class ProviderAccountForm(forms.ModelForm):
    secret = forms.CharField(
        label="Auth token or API key",
        required=False,
        strip=True,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Twilio auth token, or Telnyx API key. Leave empty to keep the one stored. "
        "It is tried at the provider before it is stored.",
    )
    make_default = forms.BooleanField(
        label="Default",
        required=False,
        help_text="Used when an assistant names no account of its own. It takes this role from the "
        "account that has it now.",
    )
    # What became of trying the credentials: set by the admin for each request.
    tried: Proven | BurkiError | None = None

    class Meta:
        model = ProviderAccount
        fields = [
            "organization",
            "provider",
            "label",
            "account_sid",
            "connection_id",
            "messaging_profile_id",
            "public_key",
            "low_balance_threshold",
            "only_for_assistants",
            "is_active",
        ]

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if "make_default" in self.fields:
            self.fields["make_default"].initial = self.instance.is_default

    def clean(self):
        data = super().clean()
        if self.instance._state.adding:
            if not data.get("secret"):
                self.add_error("secret", "Enter the auth token or API key.")
            if "organization" not in self.errors and data.get("organization") is None:
                self.add_error("organization", "Choose the organization that it belongs to.")
        default = data.get("make_default")
        if self.instance.is_default and not default:
            self.add_error(
                "make_default", "Make another account the default instead: one has to be."
            )
        if default and data.get("only_for_assistants"):
            self.add_error(
                "only_for_assistants", "The default account cannot be only for assistants."
            )
        try:
            check_settings({name: data.get(name) or "" for name in _SETTINGS})
        except InvalidRequest as error:
            self.add_error(next(iter(error.facts["errors"])), error.detail)
        if isinstance(self.tried, BurkiError):
            self.add_error("secret", sentence(self.tried))
        return data


@admin.register(ProviderAccount)
class ProviderAccountAdmin(KeptAdmin):
    """An account's identity (organization, provider, Twilio SID) is fixed once it exists."""

    form = ProviderAccountForm
    list_display = ["__str__", "organization", "source", "is_default", "is_active", "ends_in",
                    "funds", "warned", "last_checked_at"]  # fmt: skip
    list_filter = ["provider", "source", "is_active"]
    search_fields = ["organization__name", "organization__slug", "label"]
    list_select_related = ["organization"]
    autocomplete_fields = ["organization"]
    actions = ["check_now"]

    @admin.display(description="secret")
    def ends_in(self, account: ProviderAccount) -> str:
        return account.secret_hint or "–"

    @admin.display(description="balance")
    def funds(self, account: ProviderAccount) -> str:
        balance = money(account.balance)
        return f"{balance} {account.last_check.get('currency') or ''}" if balance else "–"

    @admin.display(description="warnings")
    def warned(self, account: ProviderAccount) -> str:
        return " ".join(account_warnings(account)) or "–"

    def get_readonly_fields(self, request, obj=None):
        told = ["funds", "warned", "last_checked_at"]
        return ["organization", "provider", "account_sid", *told] if obj else []

    def has_change_permission(self, request, obj=None) -> bool:
        """The platform's own account comes from the environment; in an organization it is also for
        the person's role to say."""
        allowed = super().has_change_permission(request, obj)
        if not allowed or obj is None:
            return allowed
        return obj.organization is not None and admin_actor(request).may(
            ORGANIZATION_ADMIN, obj.organization
        )

    @admin.action(description="Check now", permissions=["view"])
    def check_now(self, request, accounts):
        """Ask the provider how each account stands, and say what it said."""
        for account in accounts.select_related("organization"):
            try:
                checked = check_account(actor=admin_actor(request), account=account)
            except BurkiError as error:
                self.message_user(request, f"{account}: {sentence(error)}", messages.ERROR)
                continue
            warnings = account_warnings(checked)
            told = " ".join(warnings) or f"in order, balance {self.funds(checked)}"
            level = messages.WARNING if warnings else messages.SUCCESS
            self.message_user(request, f"{account}: {told}", level)

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        """The admin's own view is a transaction, and a provider is never called inside one: new
        credentials are tried before it."""
        request.tried = self._try(request, object_id) if request.method == "POST" else None
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"tried": getattr(request, "tried", None)})

    def _try(self, request, object_id) -> Proven | BurkiError | None:
        """What became of trying the secret that was entered; None when there is none, or when the
        form is wrong anyway."""
        account = self.get_object(request, object_id) if object_id else None
        allowed = (
            self.has_change_permission(request, account)
            if account
            else not object_id and self.has_add_permission(request)
        )
        form = self.get_form(request, account)(request.POST, instance=account) if allowed else None
        if form is None or not form.is_valid() or not form.cleaned_data["secret"]:
            return None
        entered = form.instance
        stored = ProviderAccount.objects.get(pk=account.pk) if account else None
        try:
            proven = prove_credentials(
                actor=admin_actor(request),
                organization=entered.organization,
                provider=entered.provider,
                secret=form.cleaned_data["secret"],
                account_sid=entered.account_sid,
                connection_id=entered.connection_id,
                messaging_profile_id=entered.messaging_profile_id,
                belong_to=stored,
            )
            if stored is None and proven.account is not None:
                raise InvalidRequest(f"This account is there already: change {proven.account}.")
        except BurkiError as error:
            return error
        return proven

    def save_model(self, request, obj, form, change) -> None:
        actor, secret, tried = admin_actor(request), form.cleaned_data["secret"], form.tried
        if not change:
            account = store_credentials(
                actor=actor,
                organization=obj.organization,
                provider=obj.provider,
                secret=secret,
                account_sid=obj.account_sid,
                make_default=form.cleaned_data["make_default"],
                only_for_assistants=obj.only_for_assistants,
                **{name: getattr(obj, name) for name in _SETTINGS},
            )
            others = {name: getattr(obj, name) for name in ("is_active", "low_balance_threshold")}
            account = change_account(actor=actor, account=account, **others)
            obj.pk, obj._state.adding = account.pk, False
            obj.refresh_from_db()
        else:
            names = [name for name in form.changed_data if name not in ("secret", "make_default")]
            wanted = {name: form.cleaned_data[name] for name in names}
            if "make_default" in form.changed_data:
                wanted["is_default"] = True
            change_account(actor=actor, account=obj, **wanted)
        if secret and change:
            account = replace_secret(actor=actor, account=obj, secret=secret, proof=tried.proof)
        if secret:
            keep_result(actor, account, result_of(tried.standing))
