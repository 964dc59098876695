"""The pieces that pages are made of: icons, badges, money, times, fields."""

from datetime import datetime, timedelta
from decimal import Decimal

from django import template
from django.forms import BoundField, CheckboxInput, RadioSelect
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from burki import text

register = template.Library()

# Word, icon and colour of every status; the same status looks the same everywhere.
STATUS: dict[str, tuple[str, str, str]] = {
    # of numbers
    "active": ("Active", "check", "green"),
    "releasing": ("Releasing", "clock", "amber"),
    "released": ("Released", "minus", "neutral"),
    # of purchases
    "ordering": ("Ordering", "clock", "blue"),
    "pending": ("Pending", "clock", "blue"),
    "completed": ("Bought", "check", "green"),
    "refused": ("Refused", "cross", "red"),
    "uncertain": ("In doubt", "question", "amber"),
    # of provider accounts
    "in_order": ("In order", "check", "green"),
    "trouble": ("Has a problem", "hand", "red"),
    "low_balance": ("Low balance", "hand", "amber"),
    "unchecked": ("Not checked", "question", "neutral"),
    "disabled": ("Disabled", "minus", "neutral"),
    "default": ("Default", "card", "blue"),
    # of API keys
    "expired": ("Expired", "clock", "neutral"),
    "revoked": ("Revoked", "minus", "neutral"),
    "stopped": ("Stopped", "hand", "amber"),
    # of people
    "on": ("On", "check", "green"),
    "invited": ("Invited", "clock", "blue"),
    "closed": ("Closed", "minus", "neutral"),
    # of events and where they go
    "delivered": ("Delivered", "check", "green"),
    "failed": ("Failed", "cross", "red"),
    "abandoned": ("Abandoned", "minus", "neutral"),
    "failing": ("Failing", "hand", "amber"),
    # of assistants
    "assistant_on": ("Active", "check", "green"),
    "assistant_off": ("Not active", "minus", "neutral"),
    # of many purchases at once, and of their numbers
    "bulk_running": ("Buying", "clock", "blue"),
    "bulk_completed": ("Done", "check", "green"),
    "bulk_stopped": ("Stopped", "hand", "amber"),
    "bulk_cancelled": ("Stopped by a person", "minus", "neutral"),
    "bought": ("Bought", "check", "green"),
    "buying": ("Ordering", "clock", "blue"),
    "skipped": ("Left out", "minus", "neutral"),
    "waiting": ("Waiting", "clock", "neutral"),
    # of both
    "needs_person": ("Needs a person", "hand", "red"),
    # of what the provider has set for a number
    "verified": ("Verified", "check", "green"),
    "drifted": ("Drifted", "hand", "amber"),
    "unreachable": ("Unreachable", "question", "amber"),
    # of calls and messages
    "call_ringing": ("Ringing", "clock", "blue"),
    "call_answered": ("Answered", "voice", "blue"),
    "call_refused": ("Turned away", "cross", "amber"),
    "call_completed": ("Ended", "check", "green"),
    "call_failed": ("Failed", "cross", "red"),
    "message_received": ("Received", "clock", "blue"),
    "message_handed_over": ("Handed over", "check", "green"),
    "message_failed": ("Not handed over", "cross", "red"),
    "message_unhandled": ("Nobody takes it", "minus", "amber"),
}


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """One of our icons. Without a label it only decorates."""
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}#{}"></use></svg>',
            label, static("burki/icons.svg"), name,
        )  # fmt: skip
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>',
        static("burki/icons.svg"), name,
    )  # fmt: skip


@register.simple_tag
def badge(status: str) -> SafeString:
    """A status: its word, icon and colour."""
    word, glyph, colour = STATUS.get(status, (status.replace("_", " "), "dot", "neutral"))
    return format_html('<span class="badge {}">{}{}</span>', colour, icon(glyph), word)


@register.simple_tag
def money(amount: Decimal | None, currency: str = "", per: str = "") -> SafeString:
    """An amount in its own currency; `per` is "month" or nothing."""
    if amount is None:
        return mark_safe('<span class="quiet">price unknown</span>')
    suffix = format_html('<span class="per"> a {}</span>', per) if per else ""
    return format_html('<span class="money">{}{}</span>', text.price(amount, currency), suffix)


@register.simple_tag
def moment(when: datetime | None, exact: bool = False) -> SafeString:
    """A time: how long ago or how soon, with the exact time on hover. A script that has nothing
    else to do turns the exact time into the viewer's zone."""
    if when is None:
        return mark_safe('<span class="quiet">–</span>')
    precise = f"{when:%d %b %Y, %H:%M:%S} UTC"
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        when.isoformat(timespec="seconds"),
        precise,
        mark_safe(" data-exact") if exact else "",
        f"{when:%d %b %Y, %H:%M} UTC" if exact else _relative(when),
    )


def _relative(when: datetime) -> str:
    gap = when - timezone.now()
    span, ahead = abs(gap), gap > timedelta(0)
    if span < timedelta(seconds=10):
        return "in a moment" if ahead else "just now"
    seconds = int(span.total_seconds())
    units = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
    unit, size = next((name, size) for name, size in units if seconds >= size)
    count = seconds // size
    if unit == "day" and count > 6:
        return f"{when:%d %b %Y}"
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {words}" if ahead else f"{words} ago"


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, autofocus: bool = False) -> dict:
    """Label, input, hint and error, tied together for people who do not see them."""
    hint_id, error_id = f"{bound.auto_id}_hint", f"{bound.auto_id}_error"
    ids = [hint_id] if bound.help_text else []
    attributes = {"class": "input"}
    if bound.errors:
        ids.append(error_id)
        attributes["aria-invalid"] = "true"
    if ids:
        attributes["aria-describedby"] = " ".join(ids)
    if autofocus:
        attributes["autofocus"] = True
    return {
        "bound": bound,
        "control": bound.as_widget(attrs=attributes),
        "hint_id": hint_id,
        "error_id": error_id,
        "inline": isinstance(bound.field.widget, CheckboxInput),
        "group": isinstance(bound.field.widget, RadioSelect),
    }
