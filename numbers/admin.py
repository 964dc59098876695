"""Numbers, purchases and what the inventory disagrees about in the Django admin."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path

from burki.errors import BurkiError, sentence
from numbers import (  # noqa: F401  (registers their models)
    admin_accounts,
    admin_inbound,
    admin_jobs,
    admin_orders,
)
from numbers.admin_actions import AskingFirst, page_key
from numbers.admin_purchase import PURCHASE_PERMISSION, PurchasePage
from numbers.exceptions import InventoryConflict
from numbers.models import (
    Comparison,
    Finding,
    Offer,
    PhoneNumber,
    ProviderSetup,
    Purchase,
    Release,
    VerifiedCallerId,
)
from numbers.reconcile import settle_release
from numbers.services.deciding import decide, look_by_hand
from numbers.services.inventory_actions import adopt_orphan, close_ghost
from numbers.services.proof import verify_number
from numbers.services.release import release_number
from numbers.services.repairing import repair_number, restore_webhooks
from organizations.actors import Actor
from organizations.admin import (
    FEW_ORGANIZATIONS,
    FewOrganizationsFilter,
    ReadOnlyAdmin,
    admin_actor,
)
from organizations.models import Organization
from organizations.permissions import NUMBERS_RELEASE

ATTENTION = ("needs_attention_at", admin.EmptyFieldListFilter)
RELEASE_PERMISSION = "numbers.release_phonenumber"
FINDING_PERMISSION = "numbers.act_on_finding"


@admin.register(PhoneNumber)
class PhoneNumberAdmin(PurchasePage, AskingFirst, ReadOnlyAdmin):
    list_display = ["phone_number", "friendly_name", "organization", "provider", "status",
                    "webhook_verdict", "assistant", "monthly_cost", "purchased_at"]  # fmt: skip
    list_filter = ["status", "webhook_verdict", "provider", FEW_ORGANIZATIONS]
    search_fields = ["phone_number", "friendly_name", "provider_number_id", "organization__slug"]
    list_select_related = ["organization", "assistant", "account"]
    actions = ["verify", "repair", "restore", "release"]

    def has_act_permission(self, request) -> bool:
        return request.user.has_perm(FINDING_PERMISSION)

    def has_release_permission(self, request) -> bool:
        return request.user.has_perm(RELEASE_PERMISSION)

    @admin.action(description="Verify", permissions=["act"])
    def verify(self, request, numbers):
        consequence = "will be looked up at its provider; nothing is changed there"
        return self.each(request, numbers, "verify", consequence, _verify)

    @admin.action(description="Repair webhooks", permissions=["act"])
    def repair(self, request, numbers):
        consequence = "will be set at the provider as it should be; what is overwritten is kept"
        return self.each(request, numbers, "repair", consequence, _repair_number)

    @admin.action(description="Restore what was overwritten", permissions=["act"])
    def restore(self, request, numbers):
        consequence = "will again send calls and messages to where it did before its last repair"
        return self.each(request, numbers, "restore", consequence, _restore)

    @admin.action(description="Release", permissions=["release"])
    def release(self, request, numbers):
        consequence = (
            "will be given back to its provider: it stops costing, calls to it fail, "
            "and anybody may buy it"
        )

        def act(actor: Actor, number: PhoneNumber) -> str:
            release_number(
                actor=actor,
                organization=number.organization,
                phone_number=number.phone_number,
                provider=number.provider,
                idempotency_key=page_key(request, number),
            )
            return "is released."

        return self.each(request, numbers, "release", consequence, act)


@admin.register(Purchase)
class PurchaseAdmin(AskingFirst, ReadOnlyAdmin):
    list_display = ["phone_number", "provider", "state", "refusal_code", "organization",
                    "actor_label", "claimed_at", "needs_attention_at"]  # fmt: skip
    list_filter = ["state", "provider", ATTENTION, FEW_ORGANIZATIONS]
    search_fields = ["phone_number", "id", "order_id", "provider_number_id", "organization__slug"]
    list_select_related = ["organization"]
    actions = ["settle"]
    change_form_template = "admin/numbers/purchase/change_form.html"
    fieldsets = [
        (None, {"fields": ["state", "needs_attention_at", "attention_reason", "organization",
                           "phone_number", "provider", "account", "number", "actor_label",
                           "claimed_at", "recorded_at"]}),
        ("Asked", {"fields": ["request", "fallback", "attempt"]}),
        ("Answered", {"fields": ["details", "order_id", "provider_number_id", "provider_status",
                                 "connection_id", "messaging_profile_id", "monthly_cost",
                                 "setup_cost", "currency"]}),
        ("Refused", {"fields": ["refusal_code", "evidence", "provider_code", "provider_message",
                                "hint", "retryable"]}),
        ("Looks at the provider", {"fields": ["looks", "empty_looks", "first_empty_look_at",
                                              "next_look_at"]}),
    ]  # fmt: skip

    def has_settle_permission(self, request) -> bool:
        return request.user.has_perm(PURCHASE_PERMISSION)

    @admin.action(description="Look at the provider and settle", permissions=["settle"])
    def settle(self, request, purchases):
        consequence = "will be looked for at its provider, and settled if that says for sure"
        return self.each(request, purchases, "settle", consequence, _settle)

    def get_urls(self):
        view = self.admin_site.admin_view(self.settle_view)
        return [
            path("<uuid:pk>/settle/", view, name="numbers_purchase_settle"),
            *super().get_urls(),
        ]

    def change_view(self, request, object_id, form_url="", extra_context=None):
        purchase = self.get_object(request, object_id)
        extra = {"in_doubt": purchase is not None and purchase.state in Purchase.LIVE}
        return super().change_view(request, object_id, form_url, extra | (extra_context or {}))

    def settle_view(self, request, pk):
        """Show what the provider says of a purchase in doubt; take a decision with its reason."""
        purchase = get_object_or_404(Purchase.objects.select_related("organization"), pk=pk)
        if not self.has_settle_permission(request):
            raise PermissionDenied
        actor = admin_actor(request)
        back = redirect("admin:numbers_purchase_change", purchase.pk)
        try:
            if request.method == "POST":
                done = decide(
                    actor=actor,
                    purchase=purchase,
                    decision=request.POST.get("decision", ""),
                    reason=request.POST.get("reason", ""),
                )
                self.message_user(request, f"{done} is {done.state} now.", messages.SUCCESS)
                return back
            seen = look_by_hand(actor=actor, purchase=purchase)
        except BurkiError as error:
            self.message_user(request, sentence(error), messages.ERROR)
            return back
        if not seen.choices:
            self.message_user(request, seen.sentence)
            return back
        context = self.admin_site.each_context(request) | {
            "title": f"Settle {purchase}",
            "seen": seen,
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/numbers/purchase/settle.html", context)


@admin.register(Release)
class ReleaseAdmin(AskingFirst, ReadOnlyAdmin):
    list_display = ["number", "state", "refusal_code", "organization", "actor_label",
                    "claimed_at", "needs_attention_at"]  # fmt: skip
    list_filter = ["state", ATTENTION, FEW_ORGANIZATIONS]
    search_fields = ["number__phone_number", "id", "organization__slug"]
    list_select_related = ["organization", "number__account"]
    actions = ["settle"]

    def subject(self, release: Release) -> PhoneNumber:
        return release.number

    def has_settle_permission(self, request) -> bool:
        return request.user.has_perm(RELEASE_PERMISSION)

    @admin.action(description="Look at the provider and settle", permissions=["settle"])
    def settle(self, request, releases):
        consequence = "will be looked for at its provider, and settled if that says for sure"
        return self.each(request, releases, "settle", consequence, _settle_release)


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = ["phone_number", "provider", "account", "monthly_cost", "setup_cost", "currency",
                    "seen_at"]  # fmt: skip
    list_filter = ["provider"]
    search_fields = ["phone_number"]
    list_select_related = ["account"]
    show_full_result_count = False


@admin.register(ProviderSetup)
class ProviderSetupAdmin(ReadOnlyAdmin):
    list_display = ["organization", "account", "connection_id", "messaging_profile_id",
                    "webhook_url", "started_at"]  # fmt: skip
    list_filter = [("connection_id", admin.EmptyFieldListFilter), FEW_ORGANIZATIONS]
    search_fields = ["=connection_id", "=messaging_profile_id", "organization__slug"]
    list_select_related = ["organization", "account__organization"]


@admin.register(VerifiedCallerId)
class VerifiedCallerIdAdmin(ReadOnlyAdmin):
    list_display = ["phone_number", "friendly_name", "organization", "account", "updated_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["phone_number", "friendly_name", "organization__slug"]
    list_select_related = ["organization", "account"]


@admin.register(Comparison)
class ComparisonAdmin(ReadOnlyAdmin):
    """When each account was last compared with our rows: one that is long ago needs a look."""

    list_display = ["account", "organization", "began_at", "listed"]
    list_filter = ["account__provider", ("account__organization", FewOrganizationsFilter)]
    search_fields = ["account__label", "account__organization__slug"]
    list_select_related = ["account__organization"]
    ordering = ["began_at"]

    @admin.display(description="organization")
    def organization(self, comparison: Comparison) -> Organization | None:
        return comparison.account.organization


@admin.register(Finding)
class FindingAdmin(AskingFirst, ReadOnlyAdmin):
    """What provider accounts and our rows disagree about. The actions look at the provider again
    before they do anything, and ask first."""

    list_display = ["phone_number", "kind", "account", "organization", "first_seen_at",
                    "confirmed_at", "resolved_at", "resolution"]  # fmt: skip
    list_filter = [
        "kind",
        ("resolved_at", admin.EmptyFieldListFilter),
        "account__provider",
        FEW_ORGANIZATIONS,
    ]
    search_fields = ["phone_number", "organization__slug"]
    list_select_related = ["account__organization", "organization"]
    actions = ["adopt", "close_ghost", "repair"]

    def has_act_permission(self, request) -> bool:
        return request.user.has_perm(FINDING_PERMISSION)

    @admin.action(description="Adopt", permissions=["act"])
    def adopt(self, request, findings):
        consequence = "will become an active number of the organization whose account has it"
        return self.each(request, findings, "adopt", consequence, _adopt)

    @admin.action(description="Close ghost", permissions=["act"])
    def close_ghost(self, request, findings):
        consequence = "will be recorded as released, if the provider still does not have it"
        return self.each(request, findings, "close_ghost", consequence, _close_ghost)

    @admin.action(description="Repair", permissions=["act"])
    def repair(self, request, findings):
        consequence = "will be set at the provider as we have it"
        return self.each(request, findings, "repair", consequence, _repair)


def _settle(actor: Actor, purchase: Purchase) -> str:
    seen = look_by_hand(actor=actor, purchase=purchase)
    if seen.choices:
        return f"is left for you to decide on its page. {seen.sentence}"
    return f"is {seen.purchase.state}. {seen.sentence}"


def _settle_release(actor: Actor, release: Release) -> str:
    actor.require(NUMBERS_RELEASE, release.organization)
    if release.state != Release.State.UNCERTAIN:
        return f"is {release.state}: there is nothing to settle."
    return f"is {settle_release(release.pk, actor=actor).state}."


def _of_somebody(finding: Finding) -> Organization:
    if finding.organization is None:
        raise InventoryConflict("The platform's account has it; it belongs to nobody.")
    return finding.organization


def _adopt(actor: Actor, finding: Finding) -> str:
    adopt_orphan(actor=actor, organization=_of_somebody(finding), finding=finding)
    return "is adopted."


def _close_ghost(actor: Actor, finding: Finding) -> str:
    close_ghost(actor=actor, organization=_of_somebody(finding), finding=finding)
    return "is closed."


def _repair(actor: Actor, finding: Finding) -> str:
    _of_somebody(finding)
    if finding.number is None:
        raise InventoryConflict("It is none of our numbers: there is nothing to repair.")
    return _repair_number(actor, finding.number)


def _repair_number(actor: Actor, number: PhoneNumber) -> str:
    repaired = repair_number(actor=actor, organization=number.organization, number=number)
    if repaired.agrees:
        return "is set as we have it."
    return f"was set, but the provider does not show it yet: {', '.join(repaired.differences)}."


def _verify(actor: Actor, number: PhoneNumber) -> str:
    checked = verify_number(actor=actor, number=number)
    return f"is {checked.webhook_verdict}. {checked.webhook_detail}".strip()


def _restore(actor: Actor, number: PhoneNumber) -> str:
    restore_webhooks(actor=actor, number=number)
    return "is set as it was before its last repair."
