"""Signing in and out, and choosing the organization to work in."""

import time
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from burki.errors import InvalidRequest
from burki.paging import Order, keyset_page
from organizations import two_factor
from organizations.actors import Actor
from organizations.authentication import SESSION_ORGANIZATION, client_ip, session_organization
from organizations.forms import CodeForm, SignInForm
from organizations.models import Membership, Organization, User

_WAITING = "waits-for-second-factor"
_CODE_WITHIN = 10 * 60  # seconds after the password
_BACKEND = settings.AUTHENTICATION_BACKENDS[0]


class SignIn(LoginView):
    """`next` is followed only within this site (Django checks it), and never back to here. For
    those who have a second factor the session begins after it, at `second_factor`."""

    authentication_form = SignInForm
    template_name = "organizations/sign_in.html"
    redirect_authenticated_user = True

    def get_redirect_url(self) -> str:
        url = super().get_redirect_url()
        return "" if url.partition("?")[0] == self.request.path else url

    def form_valid(self, form: SignInForm) -> HttpResponse:
        user = form.get_user()
        if not two_factor.has_second_factor(user):
            return super().form_valid(form)
        self.request.session[_WAITING] = {
            "user": user.pk,
            "hash": user.get_session_auth_hash(),
            "until": time.time() + _CODE_WITHIN,
            "next": self.get_success_url(),
        }
        return redirect("second-factor")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Asks whoever entered the right password a moment ago for a code."""
    waiting = request.session.get(_WAITING, {})
    user = _who_waits(waiting)
    if user is None:
        request.session.pop(_WAITING, None)
        messages.info(request, "Sign in again: the code is asked for within ten minutes.")
        return redirect("sign-in")
    actor = Actor.for_user(user, ip=client_ip(request), request_id=request.id)
    before = two_factor.recovery_codes_left(user)
    form = CodeForm(request.POST or None, actor=actor)
    if form.is_valid():
        del request.session[_WAITING]
        login(request, user, backend=_BACKEND)
        left = two_factor.recovery_codes_left(user)
        if left < before:
            messages.warning(request, f"That recovery code is used up. {left} are left.")
        return redirect(waiting["next"])
    return render(
        request,
        "organizations/second_factor.html",
        {"form": form},
        status=400 if form.is_bound else 200,
    )


def _who_waits(waiting: dict[str, Any]) -> User | None:
    """None when the time is over, or when what was entered right is no longer."""
    if waiting.get("until", 0) < time.time():
        return None
    user = User.objects.filter(pk=waiting["user"], is_active=True).first()
    same = user and constant_time_compare(user.get_session_auth_hash(), waiting["hash"])
    return user if same else None


def admin_sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """The Django admin has no sign-in of its own: everybody comes in by the one, with every
    factor."""
    if request.user.is_authenticated:
        messages.error(request, "The administration is for the operators of this installation.")
        return redirect("overview")
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


sign_in = SignIn.as_view()
sign_out = LogoutView.as_view(next_page="sign-in")

_LARGEST_ID = 2**63 - 1


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def switch_organization(request):
    """GET lists the person's organizations by name, or those that `search` finds; POST chooses one
    and starts at its overview: what was open belongs to the other."""
    memberships = Membership.objects.filter(user=request.user)
    if request.method == "POST":
        given = request.POST.get("organization", "")
        wanted = int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else 0
        if memberships.filter(organization_id=min(wanted, _LARGEST_ID)).exists():
            request.session[SESSION_ORGANIZATION] = wanted
            return redirect("overview")
    search = request.GET.get("search", "").replace("\0", "")[:100]
    mine = Organization.objects.filter(memberships__user=request.user)
    mine = mine.annotate(role=F("memberships__role"))  # of the same membership
    if search:
        mine = mine.filter(Q(name__icontains=search) | Q(slug__icontains=search))
    try:
        page = keyset_page(request, mine, order=Order(column="name", descending=False))
    except InvalidRequest:
        return redirect("switch-organization")
    context = {
        "page": page,
        "search": search,
        "searchable": search or page.newer or page.older,
        "current": session_organization(request),
        "unknown": request.method == "POST",
    }
    return render(
        request,
        "organizations/switch.html",
        context,
        status=404 if context["unknown"] else 200,
    )
