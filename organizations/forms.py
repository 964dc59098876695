"""Signing in, at the staff pages and at the Django admin: with limited tries at both."""

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm

from organizations.authentication import client_ip
from organizations.throttling import WINDOW, SignInAttempts


class LimitedTries:
    """Refuses a try beyond the limit without looking at the password."""

    def clean(self):
        email = self.cleaned_data.get("username")
        if not email or not self.cleaned_data.get("password"):
            return super().clean()
        attempts = SignInAttempts(email, client_ip(self.request))
        if not attempts.is_allowed():
            raise forms.ValidationError(
                f"Too many attempts to sign in. Wait {WINDOW // 60} minutes, then try again.",
                code="throttled",
            )
        data = super().clean()
        attempts.succeeded()
        return data


class SignInForm(LimitedTries, AuthenticationForm):
    username = forms.EmailField(
        label="E-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    error_messages = {
        "invalid_login": "E-mail address or password is wrong. Check both, then try again.",
        "inactive": "E-mail address or password is wrong. Check both, then try again.",
    }


class AdminSignInForm(LimitedTries, AdminAuthenticationForm):
    pass
