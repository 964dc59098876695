"""Commands to a call at Telnyx. Each carries a `command_id`: Telnyx carries out the same id on the
same call once, so that a command may be sent again.
https://developers.telnyx.com/api/call-control/answer-call"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import ProviderRefused
from numbers.providers.base import Credentials
from numbers.providers.telnyx_client import TelnyxClient

# The call is unknown there or over: nothing can be done with it any more.
_OVER = frozenset({"90015", "90018"})
_SAID_MAX = 3000
# What Telnyx's basic voices speak.
_LANGUAGES = (
    "arb", "cmn-CN", "cy-GB", "da-DK", "de-DE", "en-US", "en-GB", "en-AU", "en-IN", "en-GB-WLS",
    "es-US", "es-ES", "es-MX", "fr-FR", "fr-CA", "hi-IN", "is-IS", "it-IT", "ja-JP", "ko-KR",
    "nb-NO", "nl-NL", "pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "sv-SE", "tr-TR",
)  # fmt: skip


class CallOver(Exception):
    """The call ended before the command reached it."""


class TelnyxCalls:
    """Commands to the calls of one account. Raise `CallOver`, `ProviderRefused`, and
    `ProviderUnreachable` when the command may not have arrived: it may be sent again."""

    def __init__(self, credentials: Credentials, deadline: Deadline):
        self._client = TelnyxClient(credentials, deadline)

    def answer(
        self, call_id: str, *, command_id: str, client_state: str, stream_url: str = ""
    ) -> None:
        """Pick up; with a `stream_url` (wss) its media go both ways there from the first moment."""
        body = {"client_state": client_state}
        if stream_url:
            body |= {
                "stream_url": stream_url,
                "stream_track": "both_tracks",
                "stream_bidirectional_mode": "rtp",
                "stream_bidirectional_codec": "PCMU",
            }
        self._command(call_id, "answer", command_id, body)

    def speak(self, call_id: str, text: str, *, command_id: str, language: str) -> None:
        """Say a text on a call that has been answered."""
        body = {
            "payload": text[:_SAID_MAX],
            "payload_type": "text",
            # Without a service level of its own, a voice has one language only.
            "service_level": "basic",
            "voice": "female",
            "language": _spoken(language),
        }
        self._command(call_id, "speak", command_id, body)

    def reject(self, call_id: str, *, command_id: str) -> None:
        """Do not pick up. Costs nothing."""
        self._command(call_id, "reject", command_id, {"cause": "CALL_REJECTED"})

    def hang_up(self, call_id: str, *, command_id: str) -> None:
        self._command(call_id, "hangup", command_id, {})

    def _command(self, call_id: str, action: str, command_id: str, body: dict[str, Any]) -> None:
        path = f"/calls/{quote(call_id, safe='')}/actions/{action}"
        try:
            self._client.send(
                "POST", path, clocks.CALL_COMMAND, json=body | {"command_id": command_id}
            )
        except ProviderRefused as refusal:
            if refusal.provider_code in _OVER:
                raise CallOver(action) from refusal
            raise


def _spoken(language: str) -> str:
    """The nearest language that Telnyx speaks: the same, else one of the same tongue."""
    wanted = language.casefold()
    same = next((known for known in _LANGUAGES if known.casefold() == wanted), None)
    tongue = wanted.partition("-")[0]
    tongue = {"ar": "arb", "zh": "cmn", "no": "nb", "nn": "nb"}.get(tongue, tongue)
    near = (known for known in _LANGUAGES if known.casefold().partition("-")[0] == tongue)
    return same or next(near, "en-US")
