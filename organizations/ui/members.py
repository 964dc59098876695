"""Members and their roles: the owners' page."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from burki.errors import InvalidRequest
from burki.paging import keyset_page
from organizations.authentication import client_ip
from organizations.members import add_member, change_role, invite_again, remove_member
from organizations.models import ApiKey, Membership, Role
from organizations.pages import page, see_other
from organizations.permissions import MANAGE_MEMBERS
from organizations.throttling import WINDOW, Attempts
from organizations.ui.forms import NewMemberForm, RoleForm

_KEYS_NAMED = 5


@page(MANAGE_MEMBERS)
@require_safe
def members(request: HttpRequest) -> HttpResponse:
    """Everybody, who came last first."""
    found = keyset_page(request, _members(request))
    return render(request, "organizations/members.html", {"page": found})


@page(MANAGE_MEMBERS)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = NewMemberForm(request.POST or None, initial={"role": Role.MEMBER})
    if form.is_valid():
        try:
            membership = add_member(
                actor=request.actor, organization=request.organization, **form.cleaned_data
            )
        except InvalidRequest as error:
            form.add_error(next(iter(error.facts.get("errors", {})), None), error.detail)
        else:
            messages.success(
                request, f"{membership.user.email} is a member now and is told by e-mail."
            )
            return see_other("settings-members")
    return render(
        request,
        "organizations/member_add.html",
        {"form": form},
        status=400 if form.is_bound else 200,
    )


@page(MANAGE_MEMBERS)
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, pk: int) -> HttpResponse:
    """One member; POST gives another role."""
    found = get_object_or_404(_members(request), pk=pk)
    form = RoleForm(request.POST or None, initial={"role": found.role})
    if form.is_valid():
        try:
            found = change_role(actor=request.actor, membership=found, **form.cleaned_data)
        except InvalidRequest as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, f"{found.user} is {found.get_role_display().lower()} now.")
            mine = found.user_id == request.user.pk
            if mine and found.role != Role.OWNER:
                return see_other("overview")
        return see_other("settings-member", pk)
    context = {"member": found, "form": form, "keys": _keys_of(found)}
    return render(
        request, "organizations/member.html", context, status=400 if form.is_bound else 200
    )


@page(MANAGE_MEMBERS)
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once and says which API keys stop; POST ends the membership."""
    found = get_object_or_404(_members(request), pk=pk)
    if request.method == "POST":
        try:
            remove_member(actor=request.actor, membership=found)
        except InvalidRequest as error:
            messages.error(request, error.detail)
            return see_other("settings-member", pk)
        messages.success(request, f"{found.user} is no member of {request.organization} any more.")
        left = found.user_id == request.user.pk
        return see_other("switch-organization" if left else "settings-members")
    return render(
        request, "organizations/member_remove.html", {"member": found, "keys": _keys_of(found)}
    )


@page(MANAGE_MEMBERS)
@require_POST
def invite(request: HttpRequest, pk: int) -> HttpResponse:
    """Send the link to set a password again."""
    found = get_object_or_404(_members(request), pk=pk)
    if not Attempts("mail", found.user.email, client_ip(request)).is_allowed():
        messages.error(request, f"Sent often enough. Wait {WINDOW // 60} minutes.")
        return see_other("settings-member", pk)
    try:
        invite_again(actor=request.actor, membership=found)
    except InvalidRequest as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{found.user.email} gets a new link.")
    return see_other("settings-member", pk)


def _members(request: HttpRequest) -> QuerySet[Membership]:
    return Membership.objects.filter(organization=request.organization).select_related(
        "user", "organization"
    )


def _keys_of(member: Membership) -> dict[str, object]:
    """The member's keys that are not revoked: how many, and the names of some."""
    keys = ApiKey.objects.filter(
        organization=member.organization_id, created_by=member.user_id, revoked_at=None
    )
    names = list(keys.order_by("-pk").values_list("name", flat=True)[:_KEYS_NAMED])
    return {"count": keys.count(), "names": names}
