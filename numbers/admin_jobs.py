"""Background jobs in the Django admin: to look at, under our Content-Security-Policy."""

import json

from django.contrib import admin
from django.utils.html import format_html
from procrastinate.contrib.django.admin import ProcrastinateEventInline, ProcrastinateJobAdmin
from procrastinate.contrib.django.models import ProcrastinateJob

_SHOWN = 2000  # characters of a job's arguments


class EventInline(ProcrastinateEventInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False


admin.site.unregister(ProcrastinateJob)


@admin.register(ProcrastinateJob)
class JobAdmin(ProcrastinateJobAdmin):
    """Procrastinate's own, without inline styles, and without filters that read the whole table.
    Cancelling is not offered: a purchase in doubt is settled by its job."""

    list_display = ["pk", "short_task_name", "pretty_args", "pretty_status", "last_event"]
    list_filter = ["status", "queue_name"]
    search_fields = ["=id", "task_name"]
    show_full_result_count = False
    inlines = [EventInline]
    actions = ["retry"]

    def has_retry_permission(self, request) -> bool:
        return request.user.is_superuser

    @admin.action(description="Retry", permissions=["retry"])
    def retry(self, request, jobs):
        """Only failed ones: a worker that is only slow would do the work a second time."""
        ProcrastinateJobAdmin.retry(self, request, jobs.filter(status="failed"))

    @admin.display(description="arguments")
    def pretty_args(self, job: ProcrastinateJob) -> str:
        return format_html("<code>{}</code>", json.dumps(job.args)[:_SHOWN])

    @admin.display(description="last event")
    def last_event(self, job: ProcrastinateJob) -> str:
        event = next(iter(job.procrastinateevent_set.all()), None)
        return f"{event.type}, {event.at:%d %b %Y, %H:%M:%S} UTC" if event else "–"
