"""Signing in, codes and passwords: with limited tries."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.http import HttpRequest

from organizations.actors import Actor
from organizations.authentication import client_ip
from organizations.throttling import WINDOW, Attempts
from organizations.two_factor import accepts, confirm


def too_many(what: str) -> forms.ValidationError:
    return forms.ValidationError(
        f"Too many attempts to {what}. Wait {WINDOW // 60} minutes, then try again.",
        code="throttled",
    )


class SignInForm(AuthenticationForm):
    """Refuses a try beyond the limit without looking at the password."""

    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    error_messages = {
        "invalid_login": "E-mail address or password is wrong. Check both, then try again.",
        "inactive": "E-mail address or password is wrong. Check both, then try again.",
    }

    def clean(self):
        email = self.cleaned_data.get("username")
        if not email or not self.cleaned_data.get("password"):
            return super().clean()
        attempts = Attempts("sign-in", email, client_ip(self.request))
        if not attempts.is_allowed():
            raise too_many("sign in")
        data = super().clean()
        attempts.succeeded()
        return data


class ForgotPasswordForm(forms.Form):
    """Says the same whoever's address it is."""

    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_email(self) -> str:
        email = self.cleaned_data["email"].lower()
        if not Attempts("mail", email, client_ip(self.request)).is_allowed():
            raise too_many("get a link")
        return email


class NewPasswordForm(SetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        first, second = self.fields["new_password1"], self.fields["new_password2"]
        first.label, second.label = "New password", "New password again"
        first.help_text = "At least 8 characters; nothing common, and not like your address"
        second.help_text = ""


class PasswordForm(forms.Form):
    """Asks the signed-in person for the password again, with the tries that signing in has."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        user, given = self.request.user, self.cleaned_data["password"]
        attempts = Attempts("sign-in", user.email, client_ip(self.request))
        if not attempts.is_allowed():
            raise too_many("enter the password")
        if not user.check_password(given):
            raise forms.ValidationError("This is not your password.")
        attempts.succeeded()
        return given


class ChangePasswordForm(PasswordForm, NewPasswordForm):
    field_order = ["password", "new_password1", "new_password2"]


class CodeForm(forms.Form):
    """A code of the person's authenticator app, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=20,
        help_text="Six digits from your authenticator app, or a recovery code",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.actor = actor

    def clean_code(self) -> str:
        code = self.cleaned_data["code"]
        attempts = Attempts("code", self.actor.user.email, self.actor.ip)
        if not attempts.is_allowed():
            raise too_many("enter a code")
        if not self.is_right(code):
            raise forms.ValidationError(
                "This code is not right. Wait for the next one, and check the clock of the phone."
            )
        attempts.succeeded()
        return code

    def is_right(self, code: str) -> bool:
        return accepts(actor=self.actor, code=code)


class FirstCodeForm(CodeForm):
    """The first code of a new secret switches the second factor on: `recovery_codes`."""

    recovery_codes: list[str] | None = None

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "Six digits, as the app shows them now"

    def is_right(self, code: str) -> bool:
        self.recovery_codes = confirm(actor=self.actor, code=code)
        return self.recovery_codes is not None


class PasswordAndCodeForm(PasswordForm, CodeForm):
    """Both factors again. Beside a wrong password a code is not looked at, and not used up."""

    field_order = ["password", "code"]

    def clean_code(self) -> str:
        return super().clean_code() if "password" in self.cleaned_data else ""
