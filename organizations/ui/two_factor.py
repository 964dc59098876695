"""Setting up and switching off one's second factor."""

from base64 import b32encode
from typing import Any

import segno
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods
from django_otp.plugins.otp_totp.models import TOTPDevice

from organizations import shown_once
from organizations.forms import FirstCodeForm, PasswordAndCodeForm, PasswordForm
from organizations.pages import personal_page, see_other
from organizations.two_factor import (
    begin,
    begun,
    has_second_factor,
    keep_session,
    recovery_codes_left,
    renew_recovery_codes,
    switch_off,
)

_CODES = "recovery-codes"


@sensitive_post_parameters()
@personal_page
@require_http_methods(["GET", "HEAD", "POST"])
def two_factor(request: HttpRequest) -> HttpResponse:
    """How it stands; POST begins to set it up."""
    if has_second_factor(request.user):
        context = {"left": recovery_codes_left(request.user)}
        return render(request, "organizations/two_factor_on.html", context)
    form = PasswordForm(request.POST or None, request=request)
    if form.is_valid():
        begin(request.user)
        return see_other("two-factor-set-up")
    return _form_page(request, "two_factor_off.html", form)


@personal_page
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """The secret, for the app to read; its first code switches the factor on."""
    device = begun(request.user)
    if device is None:
        return see_other("two-factor")
    form = FirstCodeForm(request.POST or None, actor=request.actor)
    if form.is_valid():
        keep_session(request)
        _keep(request, form.recovery_codes)
        return see_other("two-factor-codes")
    return _form_page(request, "two_factor_set_up.html", form, **_secret_of(device))


@personal_page
@require_GET
def codes(request: HttpRequest) -> HttpResponse:
    """The recovery codes, this once."""
    kept = shown_once.take(request, _CODES)
    if kept is None:
        messages.info(request, "Recovery codes are shown once. New ones can be made.")
        return see_other("two-factor")
    return render(
        request, "organizations/two_factor_codes.html", {"codes": kept.split(), "all": kept}
    )


@sensitive_post_parameters()
@personal_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_codes(request: HttpRequest) -> HttpResponse:
    if not has_second_factor(request.user):
        return see_other("two-factor")
    form = PasswordAndCodeForm(request.POST or None, request=request, actor=request.actor)
    if form.is_valid():
        _keep(request, renew_recovery_codes(actor=request.actor))
        return see_other("two-factor-codes")
    return _form_page(request, "two_factor_new_codes.html", form)


@sensitive_post_parameters()
@personal_page
@require_http_methods(["GET", "HEAD", "POST"])
def off(request: HttpRequest) -> HttpResponse:
    """Asks for both factors; POST goes back to one."""
    if not has_second_factor(request.user):
        return see_other("two-factor")
    form = PasswordAndCodeForm(request.POST or None, request=request, actor=request.actor)
    if form.is_valid():
        switch_off(actor=request.actor, user=request.user)
        keep_session(request)
        messages.success(request, "Two-factor sign-in is off. The password alone signs you in.")
        return see_other("account")
    return _form_page(request, "two_factor_switch_off.html", form)


def _keep(request: HttpRequest, codes: list[str]) -> None:
    shown_once.keep(request, _CODES, "\n".join(codes))


def _secret_of(device: TOTPDevice) -> dict[str, Any]:
    """As a picture and as text in groups of four."""
    picture = segno.make(device.config_url, micro=False, error="m")
    svg = picture.svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr", title="QR code"
    )
    secret = b32encode(device.bin_key).decode()
    groups = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    return {"picture": mark_safe(svg), "secret": secret, "groups": groups}


def _form_page(request: HttpRequest, template: str, form: Any, **context: Any) -> HttpResponse:
    return render(
        request,
        f"organizations/{template}",
        context | {"form": form},
        status=400 if form.is_bound else 200,
    )
