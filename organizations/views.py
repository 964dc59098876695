"""Signing in and out, and choosing the organization to work in."""

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from organizations.authentication import SESSION_ORGANIZATION, session_organization
from organizations.forms import SignInForm
from organizations.models import Membership


class SignIn(LoginView):
    """`next` is followed only within this site (Django checks it), and never back to here."""

    authentication_form = SignInForm
    template_name = "organizations/sign_in.html"
    redirect_authenticated_user = True

    def get_redirect_url(self) -> str:
        url = super().get_redirect_url()
        return "" if url.partition("?")[0] == self.request.path else url


sign_in = SignIn.as_view()
sign_out = LogoutView.as_view(next_page="sign-in")

_LARGEST_ID = 2**63 - 1


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def switch_organization(request):
    """GET lists the person's organizations; POST chooses one and starts at its overview: what was
    open belongs to the other."""
    memberships = Membership.objects.filter(user=request.user).select_related("organization")
    if request.method == "POST":
        given = request.POST.get("organization", "")
        wanted = int(given) if given.isascii() and given.isdecimal() and len(given) < 20 else 0
        if memberships.filter(organization_id=min(wanted, _LARGEST_ID)).exists():
            request.session[SESSION_ORGANIZATION] = wanted
            return redirect("overview")
    context = {
        "memberships": memberships.order_by("organization__name", "pk"),
        "current": session_organization(request),
        "unknown": request.method == "POST",
    }
    return render(
        request,
        "organizations/switch.html",
        context,
        status=404 if context["unknown"] else 200,
    )
