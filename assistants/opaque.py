"""Settings that are kept for others and not read here: any JSON, given back as it came.

They may hold third parties' secrets, such as a language model's API key. A value under a secret's
name is encrypted in the stored tree (`seal`) and shown as its last four characters (`shown`). A
shown value that comes back unchanged means "the one you have": reading, changing and writing back
loses nothing.
"""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from assistants.secret_names import is_secret_name
from burki.errors import InvalidRequest
from burki.fields import JSON_DEPTH_MAX, walk_json
from burki.text import is_storable
from organizations.crypto import decrypt, encrypt, rotate

MAX_BYTES = 64_000  # of all settings of an assistant, as they are stored
MAX_SECRETS = 100

_SEALED, _SHOWN = "__sealed__", "shown"  # a leaf of the stored tree: {_SEALED: token, _SHOWN: "…"}
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_TOLD_FROM = 12  # characters: of a shorter secret four would be too much

Path = tuple[str | int, ...]


def hint(secret: str) -> str:
    """What is shown of a secret."""
    return _ELLIPSIS + (secret[-4:] if len(secret) >= _TOLD_FROM else "")


def is_hint(value: Any) -> bool:
    """Whether this is no secret but what we show of one."""
    return isinstance(value, str) and value.startswith(_ELLIPSIS) and len(value) <= 5


def check(name: str, value: Any) -> None:
    """Raises `InvalidRequest` for what cannot be kept, or could not be given back as it came."""
    if len(name) > 100 or not is_storable(name):
        raise InvalidRequest(
            "The name of a setting must have at most 100 characters, without NUL characters and "
            "lone surrogates"
        )
    for found, depth in walk_json(value, 1):
        if depth > JSON_DEPTH_MAX:
            most = f"{JSON_DEPTH_MAX} levels deep"
            raise InvalidRequest(f"{name} must not be nested more than {most}")
        if isinstance(found, str) and not is_storable(found):
            raise InvalidRequest(f"{name} must not contain NUL characters or lone surrogates")
        if isinstance(found, float) and not math.isfinite(found):
            raise InvalidRequest(f"{name} must not contain numbers beyond 1.8e308")
        if isinstance(found, dict) and _SEALED in found:
            raise InvalidRequest(f"{name} must not contain the reserved name {_SEALED}")


def check_size(stored: dict[str, Any]) -> None:
    """Raises `InvalidRequest` when all of an assistant's settings together are too much."""
    if len(json.dumps(stored, ensure_ascii=False).encode()) > MAX_BYTES:
        raise InvalidRequest(
            f"The settings of an assistant may take {MAX_BYTES // 1000} kB as JSON: shorten them"
        )
    if sum(1 for _ in _leaves(stored)) > MAX_SECRETS:
        raise InvalidRequest(
            f"The settings of an assistant may hold {MAX_SECRETS} secret values: remove some"
        )


def seal(given: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """`given` with its secrets encrypted. A shown value is replaced by the secret that `stored`
    holds in the same place, or in the same field of another item of the same list.

    Raises `InvalidRequest` for a shown value whose secret is not known.
    """
    known = dict(_leaves(stored))
    sent = {
        path: value for path, value in _secrets(given) if is_hint(value)
    }  # a list may have lost an item, which moves the others

    def sealed(path: Path, value: Any) -> Any:
        if not is_hint(value):
            return {_SEALED: encrypt({"value": value}), _SHOWN: hint(str(value))}
        alike = {p: leaf for p, leaf in known.items() if _like(p, path) and leaf[_SHOWN] == value}
        again = {p for p, other in sent.items() if _like(p, path) and other == value}
        if len(alike) == 1:
            return next(iter(alike.values()))
        if path in alike and again == alike.keys():
            return alike[path]
        raise InvalidRequest(
            f"{'.'.join(map(str, path))} is only what we show of a secret ({value}): "
            "send the whole value"
        )

    return _map_secrets(given, sealed)


def merged(stored: Any, given: Any) -> Any:
    """`given` over `stored`, one level deep, if both are objects; else `given`."""
    both = isinstance(stored, dict) and isinstance(given, dict)
    if both and _SEALED not in stored and _SEALED not in given:
        return stored | given
    return given


def shown(stored: Any) -> Any:
    """The tree as it may be told: of each secret the last four characters."""
    return _map_leaves(stored, lambda leaf: leaf[_SHOWN])


def opened(stored: Any) -> Any:
    """The tree in clear, for who answers the assistant's calls. Never show or log it.

    Raises `organizations.crypto.CredentialsUnreadable`.
    """
    return _map_leaves(stored, lambda leaf: decrypt(leaf[_SEALED])["value"])


def reencrypted(stored: Any) -> Any:
    """The same tree under the newest key. Raises `CredentialsUnreadable`."""
    return _map_leaves(stored, lambda leaf: leaf | {_SEALED: rotate(leaf[_SEALED])})


def holds_secrets(stored: Any) -> bool:
    return any(True for _ in _leaves(stored))


# --- Walking ------------------------------------------------------------------------------------


def _items(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _leaves(stored: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, str]]]:
    """The encrypted leaves of a stored tree."""
    if isinstance(stored, dict) and _SEALED in stored:
        yield path, stored
        return
    for name, below in _items(stored):
        yield from _leaves(below, (*path, name))


def _map_leaves(stored: Any, change: Callable[[dict[str, str]], Any]) -> Any:
    if isinstance(stored, dict):
        if _SEALED in stored:
            return change(stored)
        return {name: _map_leaves(below, change) for name, below in stored.items()}
    if isinstance(stored, list):
        return [_map_leaves(below, change) for below in stored]
    return stored


def _secrets(given: Any) -> list[tuple[Path, Any]]:
    """The secret values of a tree in clear, each with where it is."""
    found: list[tuple[Path, Any]] = []
    _map_secrets(given, lambda path, value: found.append((path, value)))
    return found


def _map_secrets(
    given: Any, change: Callable[[Path, Any], Any], path: Path = (), secret: bool = False
) -> Any:
    """`given` with every secret value changed. What lies below a secret's name is secret too, and
    so is the value of a pair such as {"name": "Authorization", "value": …}."""
    if isinstance(given, dict):
        named = [given.get(word) for word in ("name", "key", "header")]
        pair = any(isinstance(name, str) and is_secret_name(name) for name in named)
        return {
            name: _map_secrets(
                below,
                change,
                (*path, name),
                secret or is_secret_name(name) or (pair and name == "value"),
            )
            for name, below in given.items()
        }
    if isinstance(given, list):
        return [
            _map_secrets(below, change, (*path, index), secret) for index, below in enumerate(given)
        ]
    if secret and given not in ("", None) and not isinstance(given, bool):
        return change(path, given)
    return given


def _like(one: Path, other: Path) -> bool:
    """The same field, perhaps of another item of the same list."""
    return len(one) == len(other) and all(
        a == b or (isinstance(a, int) and isinstance(b, int))
        for a, b in zip(one, other, strict=True)
    )
