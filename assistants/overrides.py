"""An assistant's own telephony credentials (`twilio_config`, `telnyx_config`).

They are kept as a provider account of the assistant's organization that only assistants use. What
is told of them is at most their last four characters; that, sent back, means "the ones you have".
"""

from typing import Any

from assistants.models import Assistant
from assistants.opaque import is_hint
from burki.errors import InvalidRequest
from organizations.actors import Actor
from organizations.credentials import find_account, store_credentials
from organizations.models import Provider, ProviderAccount
from organizations.permissions import ORGANIZATION_ADMIN

OVERRIDES = ("twilio_config", "telnyx_config")
ACCOUNTS = ("twilio_account", "telnyx_account")


def told(assistant: Assistant) -> dict[str, Any]:
    """What an answer says of the overrides; null where there is none."""
    twilio, telnyx = assistant.twilio_account, assistant.telnyx_account
    return {
        "twilio_config": twilio
        and {"account_sid": _sid_hint(twilio), "auth_token": twilio.secret_hint},
        "telnyx_config": telnyx
        and {
            "api_key": telnyx.secret_hint,
            "connection_id": assistant.telnyx_connection_id or None,
        },
    }


def apply(
    assistant: Assistant,
    name: str,
    given: dict[str, str | None] | None,
    *,
    actor: Actor,
    merge: bool,
) -> None:
    """Bring the assistant's override to what is `given`; the caller holds the organization's lock
    and saves the assistant. With `merge`, what is not given stays; null removes the override.

    Storing and removing need `organization:admin`. The credentials are not tried here: a purchase
    with wrong ones is refused by the provider, and nothing is bought.
    Raises `InvalidRequest`, `PermissionDenied`.
    """
    change = _twilio if name == "twilio_config" else _telnyx
    if given is None:
        _remove(assistant, name, actor)
    else:
        change(assistant, given, actor, merge)


def choose(
    assistant: Assistant, name: str, account: ProviderAccount | None, *, actor: Actor
) -> None:
    """Let the assistant use an account that the organization has, or none of its own; the caller
    as for `apply`. Whose money is spent depends on it: it needs `organization:admin`.

    Raises `PermissionDenied`; saving raises for another organization's account.
    """
    if getattr(assistant, name) == account:
        return
    actor.require(ORGANIZATION_ADMIN, assistant.organization)
    setattr(assistant, name, account)
    if name == "telnyx_account":
        assistant.telnyx_connection_id = ""  # it belongs to the account that was named before


def _remove(assistant: Assistant, name: str, actor: Actor) -> None:
    provider = name.removesuffix("_config")
    if assistant.account_for(provider) is None:
        return
    actor.require(ORGANIZATION_ADMIN, assistant.organization)
    setattr(assistant, f"{provider}_account", None)
    if provider == Provider.TELNYX:
        assistant.telnyx_connection_id = ""  # it belongs to the account that is named no more


def _twilio(assistant: Assistant, given: dict[str, str | None], actor: Actor, merge: bool) -> None:
    present = assistant.twilio_account
    sid, token = given.get("account_sid") or "", given.get("auth_token") or ""
    if present is not None and (sid == _sid_hint(present) or (merge and not sid)):
        sid = present.account_sid
    same = present is not None and present.account_sid.lower() == sid.lower()
    if same and (token == present.secret_hint or (merge and not token)):
        return
    for field, value in (("account_sid", sid), ("auth_token", token)):
        if is_hint(value):
            raise InvalidRequest(
                f"twilio_config.{field} is only what we show of it: send all of it"
            )
    if not sid or not token:
        raise InvalidRequest("twilio_config needs both account_sid and auth_token")
    assistant.twilio_account = _store(assistant, actor, "twilio", token, sid)


def _telnyx(assistant: Assistant, given: dict[str, str | None], actor: Actor, merge: bool) -> None:
    present = assistant.telnyx_account
    key = given.get("api_key") or ""
    account = present
    if present is None or not (key == present.secret_hint or (merge and not key)):
        if is_hint(key):
            raise InvalidRequest("telnyx_config.api_key is only what we show of it: send all of it")
        if not key:
            raise InvalidRequest(
                "telnyx_config needs an api_key (to choose only a connection of the "
                "organization's own account, set telnyx_connection_id)"
            )
        account = _store(assistant, actor, "telnyx", key)
    assistant.telnyx_account = account
    if "connection_id" in given:
        assistant.telnyx_connection_id = given["connection_id"] or ""
    elif not merge or account != present:  # a connection belongs to one account
        assistant.telnyx_connection_id = ""


def _store(
    assistant: Assistant, actor: Actor, provider: str, secret: str, account_sid: str = ""
) -> ProviderAccount:
    organization = assistant.organization
    actor.require(ORGANIZATION_ADMIN, organization)
    known = find_account(organization, provider, secret=secret, account_sid=account_sid)
    if known is not None and not known.only_for_assistants:
        # The organization's own: an assistant may use it, its secret is not changed from here.
        if known.secret != secret:
            raise InvalidRequest(
                f"The organization has the account {known} with another auth token. "
                "Change the token there, or leave out twilio_config."
            )
        return known
    return store_credentials(
        actor=actor,
        organization=organization,
        provider=provider,
        secret=secret,
        account_sid=account_sid,
        label="" if known else f"assistant {assistant.name}"[:100],
        only_for_assistants=True,
    )


def _sid_hint(account: ProviderAccount) -> str:
    return f"…{account.account_sid[-4:]}"
