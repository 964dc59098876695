"""Phone numbers as people read them."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from numbers.e164 import display
from organizations.models import Provider, ProviderAccount

register = template.Library()


@register.filter
def readable(phone_number: str) -> str:
    """The number in international format, such as +1 415-555-1234."""
    return display(phone_number)


@register.simple_tag
def phone(phone_number: str) -> SafeString:
    """The number in international format, as E.164 in its title."""
    return format_html(
        '<span class="phone" title="{}">{}</span>', phone_number, display(phone_number)
    )


@register.simple_tag
def provider(name: str, account: ProviderAccount | None = None) -> SafeString:
    """A provider's name, or its account's, with our own mark for it, not its logo."""
    label = Provider(name).label
    return format_html(
        '<span class="provider {}"><span class="mark" aria-hidden="true">{}</span>{}</span>',
        name,
        label[:2],
        account or label,
    )
