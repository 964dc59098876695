"""What people enter about provider accounts. A secret goes in and never comes out: its input is
empty again, whatever was wrong."""

from typing import Any

from django import forms

from burki.errors import BurkiError, sentence
from organizations.models import Provider, ProviderAccount
from organizations.ui.forms import LineField

_TELNYX = ("connection_id", "messaging_profile_id", "public_key")


class SecretField(forms.CharField):
    widget = forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"})

    def __init__(self, **kwargs: Any):
        super().__init__(max_length=300, **kwargs)


class _ProviderForm(forms.Form):
    """Errors of the services go to the field that they are about."""

    def refuse(self, error: BurkiError) -> None:
        told = [name for name in error.facts.get("errors", {}) if name in self.fields]
        self.add_error(told[0] if told else None, sentence(error))


class AccountSettingsForm(_ProviderForm):
    """What can be changed of an account, by its provider."""

    label = LineField(
        label="Name",
        max_length=100,
        required=False,
        help_text="For you to tell accounts apart",
    )
    low_balance_threshold = forms.DecimalField(
        label="Warn when the balance is below",
        min_value=0,
        max_digits=12,
        decimal_places=2,
        required=False,
        help_text="In the account’s currency. Empty: never",
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    connection_id = LineField(
        label="Call Control application",
        max_length=64,
        required=False,
        help_text="Its id at Telnyx. Empty: the first purchase makes one",
    )
    messaging_profile_id = LineField(
        label="Messaging profile",
        max_length=64,
        required=False,
        help_text="Its id at Telnyx. Empty: the first purchase makes one",
    )
    public_key = LineField(
        label="Public key",
        max_length=64,
        required=False,
        help_text="Proves that events come from Telnyx; without it they are refused",
    )

    def __init__(self, *args: Any, provider: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in _TELNYX if provider != Provider.TELNYX else ():
            del self.fields[name]

    @classmethod
    def of(cls, account: ProviderAccount, data: Any = None) -> "AccountSettingsForm":
        initial = {name: getattr(account, name) for name in cls.base_fields}
        return cls(data, provider=account.provider, initial=initial)


class NewAccountForm(AccountSettingsForm):
    account_sid = LineField(
        label="Account SID",
        max_length=100,
        help_text="AC and 32 hexadecimal digits, from the first page of the Twilio console",
    )
    secret = SecretField(label="Auth token")
    use = forms.ChoiceField(
        label="Who pays for new numbers",
        choices=[
            ("default", "This account, from now on"),
            ("beside", "The account that pays now; this one when I say so"),
        ],
        widget=forms.RadioSelect,
        initial="default",
    )
    field_order = ["account_sid", "secret", "label", *_TELNYX, "use"]

    def __init__(self, *args: Any, provider: str, has_default: bool, **kwargs: Any):
        super().__init__(*args, provider=provider, **kwargs)
        del self.fields["low_balance_threshold"]
        if provider == Provider.TELNYX:
            del self.fields["account_sid"]
            self.fields["secret"].label = "API key"
        if not has_default:
            del self.fields["use"]

    @property
    def wanted(self) -> dict[str, Any]:
        """For `add_account`."""
        given = dict(self.cleaned_data)
        return given | {"make_default": given.pop("use", "default") == "default"}


class SecretForm(_ProviderForm):
    secret = SecretField()

    def __init__(self, *args: Any, provider: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        names = {Provider.TWILIO: "New auth token", Provider.TELNYX: "New API key"}
        self.fields["secret"].label = names[Provider(provider)]
