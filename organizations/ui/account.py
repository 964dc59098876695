"""One's own login: a forgotten password, a new one, and what there is to know of it."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import PasswordResetConfirmView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from organizations import audit, tasks
from organizations.actors import Actor
from organizations.authentication import client_ip
from organizations.forms import ChangePasswordForm, ForgotPasswordForm, NewPasswordForm
from organizations.models import Membership, User
from organizations.pages import personal_page, see_other
from organizations.throttling import Attempts
from organizations.two_factor import has_second_factor


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgot_password(request: HttpRequest) -> HttpResponse:
    """Whether or not somebody has this address, the answer is the same and takes as long."""
    form = ForgotPasswordForm(request.POST or None, request=request)
    if form.is_valid():
        user = User.objects.filter(email=form.cleaned_data["email"]).first()
        tasks.send_password_link.defer(user_id=user.pk if user else 0)
        return see_other("forgot-password-sent")
    return render(
        request,
        "organizations/forgot_password.html",
        {"form": form},
        status=400 if form.is_bound else 200,
    )


@require_safe
def forgot_password_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "organizations/forgot_password_sent.html")


class SetPassword(PasswordResetConfirmView):
    """Where the link of an e-mail leads. It works once; setting the password ends all sessions of
    the person, and the wrong tries to sign in are forgotten."""

    template_name = "organizations/set_password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("sign-in")

    def form_valid(self, form: NewPasswordForm) -> HttpResponse:
        request, ip = self.request, client_ip(self.request)
        with transaction.atomic():
            response = super().form_valid(form)
            actor = Actor.for_user(self.user, ip=ip, request_id=request.id)
            audit.record(actor, "user.password_set", self.user, organization=None)
        Attempts("sign-in", self.user.email, ip).succeeded()
        messages.success(request, "The password is set. Sign in with it.")
        return response


set_password = SetPassword.as_view()


@personal_page
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    memberships = Membership.objects.filter(user=request.user).select_related("organization")
    context = {
        "memberships": memberships.order_by("organization__name", "pk")[:20],
        "second_factor": has_second_factor(request.user),
    }
    return render(request, "organizations/account.html", context)


@sensitive_post_parameters()
@personal_page
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    """Ends the person's other sessions; this one goes on."""
    form = ChangePasswordForm(request.user, request.POST or None, request=request)
    if form.is_valid():
        with transaction.atomic():
            form.save()
            audit.record(request.actor, "user.password_changed", request.user, organization=None)
        update_session_auth_hash(request, request.user)
        messages.success(request, "Your password is changed. Other sessions have to sign in again.")
        return see_other("account")
    return render(
        request,
        "organizations/change_password.html",
        {"form": form},
        status=400 if form.is_bound else 200,
    )
