"""API keys: made, shown once, renamed, revoked."""

from django.conf import settings
from django.contrib import messages
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from burki.errors import InvalidRequest
from burki.paging import keyset_page
from organizations import shown_once
from organizations.actors import Actor
from organizations.models import ApiKey, Membership
from organizations.pages import page, see_other
from organizations.permissions import ORGANIZATION_ADMIN, SCOPES
from organizations.services import change_api_key, create_api_key, revoke_api_key
from organizations.ui.forms import KeyNameForm, NewKeyForm


@page(ORGANIZATION_ADMIN)
@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    """The organization's keys, newest first, those that work no more too."""
    return render(
        request, "organizations/keys.html", {"page": keyset_page(request, _keys(request))}
    )


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def new_key(request: HttpRequest) -> HttpResponse:
    """What a new key is for; POST makes it and goes to the one page that shows it."""
    form = NewKeyForm(request.POST or None, may=request.may)
    if form.is_valid():
        key, text = create_api_key(
            actor=request.actor,
            organization=request.organization,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.expires_at,
        )
        shown_once.keep(request, f"key-{key.pk}", text)
        return see_other("settings-key-made", key.pk)
    return render(
        request, "organizations/key_new.html", {"form": form}, status=400 if form.is_bound else 200
    )


@page(ORGANIZATION_ADMIN)
@require_GET
def key_made(request: HttpRequest, pk: int) -> HttpResponse:
    """The key in clear, this once."""
    key = get_object_or_404(_keys(request), pk=pk)
    text = shown_once.take(request, f"key-{pk}")
    if text is None:
        messages.info(request, "A key is shown once. Was it lost? Revoke it and create another.")
        return see_other("settings-key", pk)
    curl = f'curl -H "Authorization: Bearer {text}" {settings.PUBLIC_BASE_URL}/api/v1/users/me'
    context = {"key": key, "text": text, "curl": curl}
    return render(request, "organizations/key_made.html", context)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def key(request: HttpRequest, pk: int) -> HttpResponse:
    """One key: what it may, who made it; POST renames it."""
    found = get_object_or_404(_keys(request), pk=pk)
    form = KeyNameForm(request.POST or None, initial={"name": found.name})
    if form.is_valid():
        try:
            change_api_key(actor=request.actor, key=found, name=form.cleaned_data["name"])
        except InvalidRequest as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, "The key has a new name. Everything else is as it was.")
        return see_other("settings-key", pk)
    now = Actor.for_key(found).scopes_in(request.organization)
    context = {
        "key": found,
        "form": form,
        "scopes": [
            (scope, SCOPES[scope], scope in now) for scope in SCOPES if scope in found.scopes
        ],
    }
    return render(request, "organizations/key.html", context, status=400 if form.is_bound else 200)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once; POST revokes."""
    found = get_object_or_404(_keys(request), pk=pk)
    if request.method == "POST":
        revoke_api_key(actor=request.actor, key=found)
        messages.success(request, f"{found} is revoked. Programs that use it are refused now.")
        return see_other("settings-keys")
    if found.revoked_at is not None:
        return see_other("settings-key", pk)
    return render(request, "organizations/key_revoke.html", {"key": found})


def _keys(request: HttpRequest) -> QuerySet[ApiKey]:
    """With `stopped`: whether the key may do nothing because its maker may not any more."""
    member = Membership.objects.filter(
        organization=OuterRef("organization"), user=OuterRef("created_by")
    )
    gone = ~Q(created_by__is_superuser=True) & ~Exists(member)
    stopped = Q(created_by__isnull=False) & (Q(created_by__is_active=False) | gone)
    keys = ApiKey.objects.filter(organization=request.organization)
    return keys.select_related("created_by", "organization").annotate(stopped=stopped)
