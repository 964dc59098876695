"""Purchases of many numbers, and purchases that may go on to others, in the Django admin: to look
at."""

from django.contrib import admin

from numbers.models import BulkItem, BulkPurchase, FallbackPurchase
from organizations.admin import FEW_ORGANIZATIONS, ReadOnlyAdmin


@admin.register(BulkPurchase)
class BulkPurchaseAdmin(ReadOnlyAdmin):
    list_display = ["id", "organization", "provider", "quantity", "state", "reason_code",
                    "created_at", "ended_at"]  # fmt: skip
    list_filter = ["state", "provider", FEW_ORGANIZATIONS]
    search_fields = ["id", "organization__slug", "items__phone_number"]
    list_select_related = ["organization"]


@admin.register(BulkItem)
class BulkItemAdmin(ReadOnlyAdmin):
    list_display = ["phone_number", "bulk_id", "n", "tries", "outcome", "code", "purchase"]
    search_fields = ["phone_number", "=bulk__id"]
    list_select_related = ["purchase"]
    show_full_result_count = False


@admin.register(FallbackPurchase)
class FallbackPurchaseAdmin(ReadOnlyAdmin):
    list_display = ["requested_phone_number", "organization", "created_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["requested_phone_number", "id", "organization__slug"]
    list_select_related = ["organization"]
