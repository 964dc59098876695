"""Many assistants at once, for a spreadsheet or another program."""

import csv
import io
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse

from burki.errors import InvalidRequest
from burki.spreadsheets import cell
from burki.text import instant

EXPORT_MAX = 10_000
_COLUMNS = (
    "id", "name", "description", "language", "is_active", "phone_numbers", "media_stream_url",
    "sms_webhook_url", "webhook_url", "created_at", "updated_at",
)  # fmt: skip


def exported(rows: QuerySet) -> list[dict[str, Any]]:
    """The columns of each assistant, newest first. Settings are not exported: they hold secrets.

    Raises `InvalidRequest` when there are more than `EXPORT_MAX`.
    """
    found = list(rows.told().defer("settings", "greeting").order_by("-pk")[: EXPORT_MAX + 1])
    if len(found) > EXPORT_MAX:
        raise InvalidRequest(
            f"More than {EXPORT_MAX} assistants: narrow the export with search, status or "
            "assistant_ids"
        )
    return [
        {
            "id": row.pk,
            "name": row.name,
            "description": row.description or None,
            "language": row.language,
            "is_active": row.is_active,
            "phone_numbers": [number.phone_number for number in row.live_numbers],
            "media_stream_url": row.media_stream_url or None,
            "sms_webhook_url": row.sms_webhook_url or None,
            "webhook_url": row.webhook_url or None,
            "created_at": instant(row.created_at),
            "updated_at": instant(row.updated_at),
        }
        for row in found
    ]


def as_csv(rows: list[dict[str, Any]]) -> HttpResponse:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS)
    writer.writeheader()
    for row in rows:
        cells = {name: cell(value) for name, value in row.items()}
        writer.writerow(cells | {"phone_numbers": " ".join(row["phone_numbers"])})
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="assistants.csv"'},
    )
