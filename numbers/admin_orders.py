"""Purchases of many numbers, purchases that may go on to others, and the keys of repeats, in the
Django admin: to look at. Many can be stopped."""

from django.contrib import admin

from numbers.admin_actions import AskingFirst
from numbers.admin_purchase import PURCHASE_PERMISSION
from numbers.models import (
    BulkItem,
    BulkPurchase,
    FallbackPurchase,
    PurchaseReplayKey,
    ReleaseReplayKey,
)
from numbers.services.bulk import cancel
from organizations.actors import Actor
from organizations.admin import FEW_ORGANIZATIONS, FewOrganizationsFilter, ReadOnlyAdmin


@admin.register(BulkPurchase)
class BulkPurchaseAdmin(AskingFirst, ReadOnlyAdmin):
    list_display = ["id", "organization", "provider", "quantity", "state", "reason_code",
                    "created_at", "ended_at"]  # fmt: skip
    list_filter = ["state", "provider", FEW_ORGANIZATIONS]
    search_fields = ["id", "organization__slug", "items__phone_number"]
    list_select_related = ["organization"]
    actions = ["stop"]

    def named(self, bulk: BulkPurchase) -> str:
        return f"The purchase of {bulk} ({bulk.pk})"

    def has_stop_permission(self, request) -> bool:
        return request.user.has_perm(PURCHASE_PERMISSION)

    @admin.action(description="Stop buying", permissions=["stop"])
    def stop(self, request, bulks):
        consequence = "will buy no more; what it has bought stays bought and goes on costing"
        return self.each(request, bulks, "stop", consequence, _stop)


@admin.register(BulkItem)
class BulkItemAdmin(ReadOnlyAdmin):
    list_display = ["phone_number", "bulk_id", "n", "tries", "outcome", "code", "purchase"]
    list_filter = ["purchase__state", "bulk__state", "bulk__provider",
                   ("bulk__organization", FewOrganizationsFilter)]  # fmt: skip
    search_fields = ["phone_number", "=bulk__id"]
    list_select_related = ["purchase"]
    show_full_result_count = False


@admin.register(FallbackPurchase)
class FallbackPurchaseAdmin(ReadOnlyAdmin):
    list_display = ["requested_phone_number", "organization", "created_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["requested_phone_number", "id", "organization__slug"]
    list_select_related = ["organization"]


@admin.register(PurchaseReplayKey)
class PurchaseReplayKeyAdmin(ReadOnlyAdmin):
    """Keys that a purchase was answered under, beside its own. A customer's question names one."""

    list_display = ["idempotency_key", "organization", "purchase", "created_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["=idempotency_key", "organization__slug"]
    list_select_related = ["organization", "purchase"]
    show_full_result_count = False


@admin.register(ReleaseReplayKey)
class ReleaseReplayKeyAdmin(ReadOnlyAdmin):
    list_display = ["idempotency_key", "organization", "release", "created_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["=idempotency_key", "organization__slug"]
    list_select_related = ["organization", "release__number"]
    show_full_result_count = False


def _stop(actor: Actor, bulk: BulkPurchase) -> str:
    cancel(actor=actor, bulk=bulk)
    return "is stopped."
