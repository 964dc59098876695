"""Pieces of the settings pages."""

from django import template

from organizations.models import ProviderAccount

register = template.Library()


@register.filter
def tail(identifier: str) -> str:
    """The last four characters, for people to tell ids apart."""
    return f"…{identifier[-4:]}"


@register.filter
def standing(account: ProviderAccount) -> str:
    """An account in one word, by its last check: a key of `burki.templatetags.ui.STATUS`."""
    if not account.is_active:
        return "disabled"
    if not account.last_check:
        return "unchecked"
    if not account.last_check.get("ok"):
        return "trouble"
    return "low_balance" if account.low_balance else "in_order"
