"""Asking the sandbox to call or text one of its numbers. It is not a provider's interface: no
provider calls numbers for us."""

from typing import Any

from django.conf import settings

from numbers.clocks import Deadline
from numbers.exceptions import ProviderRefused, ProviderUnreachable
from numbers.providers.http import clean, read_json, session_for

_WAIT = 7.0  # seconds that the caller waits for each command at Telnyx


def call(to: str, from_number: str, deadline: Deadline) -> dict[str, Any]:
    return _post("calls", {"to": to, "from_number": from_number, "wait": _WAIT}, deadline)


def text(to: str, text: str, from_number: str, deadline: Deadline) -> dict[str, Any]:
    return _post("messages", {"to": to, "text": text, "from_number": from_number}, deadline)


def _post(what: str, body: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
    """Raises `ProviderRefused` when nobody can be reached under that number."""
    session = session_for("sandbox", "sandbox", settings.TWILIO_API_BASE_URL)
    response = session.request("POST", f"/_sandbox/{what}", deadline=deadline, json=body)
    answer = read_json(response, spends=False)
    if response.status_code == 400:
        raise ProviderRefused(clean(answer.get("error")), code="inventory_conflict")
    if response.status_code != 200:
        raise ProviderUnreachable("The sandbox does not answer.")
    return answer
