"""Plain functions for tests of the staff pages: what a page shows, and what its forms send."""

import re
from datetime import datetime

from numbers.models import Call, HandoverAttempt, Message, PhoneNumber
from numbers.tests.rows import NOON


def text(response) -> str:
    return response.content.decode()


def words(response) -> str:
    """The page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(response)))


def told(browser, response) -> str:
    """The page that a POST led to, without its tags."""
    assert response.status_code == 303, text(response)
    return words(browser.get(response.url))


def asked_of(response) -> str:
    """What a confirm page's form carries."""
    return re.search(r'name="asked" value="([^"]*)"', text(response))[1]


def shown(response) -> list[str]:
    """The numbers in a list's rows."""
    return re.findall(r'<span class="phone" title="(\+\d+)">', text(response).split("<tbody>")[-1])


def links(response) -> dict[str, str]:
    """The pages beside this one."""
    found = re.findall(r'href="(\?[^"]+)" rel="(prev|next)"', text(response))
    return {name: address.replace("&amp;", "&") for address, name in found}


def make_call(number: PhoneNumber, n: int = 0, at: datetime = NOON, **over) -> Call:
    fields = {"call_id": f"call-{number.pk}-{n}", "status": "completed", "started_at": at}
    return Call.objects.create(**(_party(number) | fields | over))


def make_message(number: PhoneNumber, n: int = 0, at: datetime = NOON, **over) -> Message:
    fields = {"message_id": f"text-{number.pk}-{n}", "status": "handed_over", "received_at": at}
    return Message.objects.create(**(_party(number) | fields | over))


def make_try(message: Message, **over) -> HandoverAttempt:
    fields = {"host": "acme.example", "milliseconds": 5, "status_code": 503} | over
    return HandoverAttempt.objects.create(message=message, **fields)


def _party(number: PhoneNumber) -> dict:
    return {
        "account": number.account,
        "provider": number.provider,
        "organization": number.organization,
        "number": number,
        "assistant": number.assistant,
        "from_number": "+12025550123",
        "to_number": number.phone_number,
    }
