"""Tenants, people and keys in the Django admin. Provider accounts are tried at their provider, so
their page is above this app, in `numbers.admin_accounts`."""

from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserCreationForm
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from organizations import audit, two_factor
from organizations.actors import Actor
from organizations.authentication import client_ip
from organizations.events.types import ENDPOINT_TEST, TYPES
from organizations.models import (
    ApiKey,
    AuditEvent,
    AuditSeal,
    Event,
    EventAttempt,
    EventDelivery,
    EventEndpoint,
    Membership,
    Organization,
    User,
)

# Their pages would show secrets, and change them without a trace.
admin.site.unregister([TOTPDevice, StaticDevice])


def admin_actor(request) -> Actor:
    return Actor.for_user(request.user, ip=client_ip(request), request_id=request.id)


class FewOrganizationsFilter(admin.RelatedFieldListFilter):
    """The organizations beside a list while they are few. With more, people search for one by its
    slug: a page does not carry thousands of links."""

    MOST = 30

    def field_choices(self, field, request, model_admin) -> list[tuple[int, str]]:
        rows = Organization.objects.order_by("name", "pk").values_list("pk", "name")
        found = list(rows[: self.MOST + 1])
        return found if len(found) <= self.MOST else []

    def has_output(self) -> bool:
        return super().has_output() or bool(self.lookup_val)


FEW_ORGANIZATIONS = ("organization", FewOrganizationsFilter)


class ReadOnlyAdmin(admin.ModelAdmin):
    """For ledgers: what happened can be looked at, and nothing else."""

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False


class KeptAdmin(admin.ModelAdmin):
    """For rows that history points at: never deleted, every change in the audit."""

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def save_model(self, request, obj, form, change) -> None:
        super().save_model(request, obj, form, change)
        self.record(request, obj, form, change)

    def record(self, request, obj, form, change) -> None:
        organization = obj if isinstance(obj, Organization) else obj.organization
        verb = "changed" if change else "added"
        audit.record(
            admin_actor(request),
            f"{obj._meta.model_name}.{verb}",
            obj,
            organization=organization,
            fields=sorted(form.changed_data),
        )


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Organization)
class OrganizationAdmin(KeptAdmin):
    list_display = ["name", "slug", "is_active", "monthly_limit", "number_limit"]
    list_filter = ["is_active"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [MembershipInline]

    def save_formset(self, request, form, formset, change) -> None:
        """Operators may set any role here, also to repair; each change is in the audit."""
        for gone in formset.deleted_forms:
            self.record_member(request, "removed", gone.instance)
        super().save_formset(request, form, formset, change)
        for membership in formset.new_objects:
            self.record_member(request, "added", membership)
        for membership, _ in formset.changed_objects:
            self.record_member(request, "role_changed", membership)

    def record_member(self, request, verb: str, membership: Membership) -> None:
        audit.record(
            admin_actor(request),
            f"member.{verb}",
            membership,
            organization=membership.organization,
            email=membership.user.email,
            role=membership.role,
        )


class NewUserForm(UserCreationForm):
    class Meta:
        model = User
        fields = ["email"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    add_form = NewUserForm
    list_display = ["email", "full_name", "is_staff", "is_active"]
    list_filter = ["is_active", "is_staff", "is_superuser", "memberships__role",
                   ("last_login", admin.EmptyFieldListFilter)]  # fmt: skip
    search_fields = ["email", "full_name", "memberships__organization__slug"]
    ordering = ["email"]
    fieldsets = [
        (None, {"fields": ["email", "password", "full_name"]}),
        (
            "Rights",
            {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]},
        ),
        ("Dates", {"fields": ["last_login"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "password1", "password2"]})]
    actions = ["switch_off_two_factor"]

    @admin.action(description="Switch off two-factor sign-in", permissions=["change"])
    def switch_off_two_factor(self, request, users):
        """For people who lost their app and their recovery codes, when it is sure who asks."""
        for user in users:
            two_factor.switch_off(actor=admin_actor(request), user=user)
        self.message_user(
            request, "They sign in with the password alone now, everywhere anew.", messages.SUCCESS
        )

    def has_delete_permission(self, request, obj=None) -> bool:
        return False

    def log_addition(self, request, user, message):
        audit.record(admin_actor(request), "user.added", user, organization=None)
        return super().log_addition(request, user, message)

    def log_change(self, request, user, message):
        """Of fields and of passwords alike; `message` names them."""
        audit.record(admin_actor(request), "user.changed", user, organization=None, changes=message)
        return super().log_change(request, user, message)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "organization", "prefix", "last_used_at", "expires_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), FEW_ORGANIZATIONS]
    search_fields = ["name", "prefix", "organization__slug"]
    list_select_related = ["organization"]
    fields = [
        "organization",
        "name",
        "prefix",
        "scopes",
        "created_by",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "organization", "actor_label", "action", "object_label"]
    list_filter = ["actor_kind", FEW_ORGANIZATIONS]
    search_fields = ["action", "object_label", "=object_id", "actor_label", "=request_id",
                     "organization__slug"]  # fmt: skip
    list_select_related = ["organization"]
    show_full_result_count = False


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    list_display = ["organization", "first_id", "last_id", "last_at", "hash", "sealed_at"]
    list_filter = [FEW_ORGANIZATIONS]
    search_fields = ["=hash", "organization__slug"]
    list_select_related = ["organization"]
    show_full_result_count = False
    fields = ["organization", "first_id", "last_id", "last_at", "previous", "hash", "sealed_at"]


@admin.register(EventEndpoint)
class EventEndpointAdmin(ReadOnlyAdmin):
    """Where customers are told of events. Of an address the host is shown: the rest may be secret,
    as the signing secrets are. Its organization changes it, on its own pages."""

    list_display = ["host", "organization", "description", "state", "is_active", "failing_since",
                    "disabled_at"]  # fmt: skip
    list_filter = ["is_active", ("failing_since", admin.EmptyFieldListFilter), FEW_ORGANIZATIONS]
    search_fields = ["description", "organization__slug"]
    list_select_related = ["organization"]
    fields = ["organization", "host", "description", "event_types", "state", "failing_since",
              "disabled_at", "disabled_because", "secret_rotated_at", "created_at",
              "updated_at"]  # fmt: skip

    @admin.display(description="host")
    def host(self, endpoint: EventEndpoint) -> str:
        return str(endpoint)


class EventTypeFilter(admin.SimpleListFilter):
    """The types that we know. The admin's own filter would read them all from the table."""

    title = parameter_name = "type"

    def lookups(self, request, model_admin) -> list[tuple[str, str]]:
        return [(name, name) for name in (*TYPES, ENDPOINT_TEST)]

    def queryset(self, request, rows):
        return rows.filter(type=self.value()) if self.value() else rows


class ByEventId:
    """For lists that are searched by an event's id, also as customers know it (`evt_…`)."""

    event_id = "id"
    search_help_text = "The id of an event, or an organization's slug"

    def get_search_results(self, request, queryset, search_term):
        try:
            wanted = UUID(search_term.removeprefix("evt_"))
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(**{self.event_id: wanted}), False


@admin.register(Event)
class EventAdmin(ByEventId, ReadOnlyAdmin):
    list_display = ["type", "public_id", "organization", "created_at", "spread_at", "mailed_at"]
    list_filter = [EventTypeFilter, FEW_ORGANIZATIONS]
    search_fields = ["organization__slug"]
    list_select_related = ["organization"]
    show_full_result_count = False
    fields = ["organization", "type", "public_id", "data", "url", "endpoint", "created_at",
              "spread_at", "mailed_at"]  # fmt: skip


class EventAttemptInline(admin.TabularInline):
    model = EventAttempt
    fields = readonly_fields = ["at", "status_code", "error", "milliseconds", "answer"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None) -> bool:
        return False


@admin.register(EventDelivery)
class EventDeliveryAdmin(ByEventId, ReadOnlyAdmin):
    list_display = ["event", "endpoint", "organization", "state", "tries", "last_status",
                    "last_error", "next_attempt_at", "delivered_at"]  # fmt: skip
    list_filter = ["state", ("endpoint__organization", FewOrganizationsFilter)]
    event_id = "event_id"
    search_fields = ["endpoint__organization__slug"]
    list_select_related = ["event", "endpoint__organization"]
    show_full_result_count = False
    inlines = [EventAttemptInline]

    @admin.display(description="organization")
    def organization(self, delivery: EventDelivery) -> Organization:
        return delivery.endpoint.organization


@admin.register(EventAttempt)
class EventAttemptAdmin(ByEventId, ReadOnlyAdmin):
    list_display = ["at", "delivery", "status_code", "error", "milliseconds"]
    list_filter = [("status_code", admin.EmptyFieldListFilter)]
    event_id = "delivery__event_id"
    search_fields = ["delivery__endpoint__organization__slug"]
    list_select_related = ["delivery__event", "delivery__endpoint"]
    ordering = ["-id"]
    show_full_result_count = False
