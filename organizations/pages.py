"""What every staff page begins with: a person, an organization, a right."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRefresh

from burki.errors import BurkiError, NotFound, PermissionDenied
from burki.throttling import told_to_wait
from organizations.actors import Actor
from organizations.authentication import client_ip, session_organization
from organizations.permissions import RIGHTS

View = Callable[..., HttpResponse]


def page(scope: str) -> Callable[[View], View]:
    """A staff page for people who have `scope` in the organization they work in.

    Sets `request.organization`, `request.actor`, and `request.may`: the person's scopes, for
    templates to show what is allowed. An error that the view does not catch becomes a page with
    its sentence; what another organization has is a 404 like what nobody has.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def staff_page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated and request.htmx:
                return HttpResponseClientRefresh()  # the whole page asks to sign in, not a part
            return signed_in(request, *args, **kwargs)

        @login_required
        def signed_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            organization = session_organization(request)
            if organization is None:
                return redirect("switch-organization")
            request.organization = organization
            request.actor = acting(request)
            request.may = request.actor.scopes_in(organization)
            try:
                request.actor.require(scope, organization)
                return view(request, *args, **kwargs)
            except (Http404, NotFound):
                return render(request, "404.html", status=404)
            except PermissionDenied as error:
                return render(request, "403.html", {"needs": _needs(error)}, status=403)
            except BurkiError as error:
                return told_to_wait(
                    render(request, "400.html", {"error": error}, status=400), error
                )

        return never_cache(staff_page)

    return decorate


def personal_page(view: View) -> View:
    """A page about the signed-in person, whatever organization they are in, or none. Sets
    `request.actor`."""

    @wraps(view)
    def staff_page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.actor = acting(request)
        try:
            return view(request, *args, **kwargs)
        except BurkiError as error:
            return render(request, "400.html", {"error": error}, status=400)

    return never_cache(login_required(staff_page))


def acting(request: HttpRequest) -> Actor:
    """The signed-in person, for services."""
    return Actor.for_user(request.user, ip=client_ip(request), request_id=request.id)


def see_other(to: str, *args: Any) -> HttpResponse:
    """After a POST: look there, with GET."""
    response = redirect(to, *args)
    response.status_code = 303
    return response


def _needs(error: PermissionDenied) -> str:
    """What the person would have to be allowed, or why nobody is."""
    return RIGHTS.get(error.facts.get("scope", ""), error.detail)
