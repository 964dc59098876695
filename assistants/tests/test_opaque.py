"""Settings are kept exactly; secrets among them are encrypted, and never told."""

import json

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from assistants import opaque
from burki.errors import InvalidRequest
from burki.text import is_storable

KEY, OTHER = "sk-live-abcdefghijklmnop1111", "sk-live-zyxwvutsrqponmlk2222"


def kept(value):
    """As it comes back from the column."""
    return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False))


def refused(call) -> str:
    with pytest.raises(InvalidRequest) as caught:
        call()
    return caught.value.detail


text = st.text().filter(is_storable)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | text.filter(lambda t: not opaque.is_hint(t)),
    lambda below: st.lists(below, max_size=4)
    | st.dictionaries(text | st.sampled_from(["api_key", "token", "name", "value"]), below),
    max_leaves=20,
)  # fmt: skip
trees = st.dictionaries(text.filter(lambda t: len(t) <= 100), anything, max_size=5)


@seed(4)
@settings(max_examples=50, deadline=None, database=None)
@given(trees)
def test_what_is_kept_opens_to_what_was_given(tree):
    for name, value in tree.items():
        opaque.check(name, value)

    stored = kept(opaque.seal(tree, {}))

    assert repr(opaque.opened(stored)) == repr(tree)  # 1 is not 1.0, and order counts


@seed(5)
@settings(max_examples=50, deadline=None, database=None)
@given(trees)
def test_what_is_shown_and_sent_back_changes_nothing(tree):
    stored = kept(opaque.seal(tree, {}))

    again = opaque.seal(kept(opaque.shown(stored)), stored)

    assert opaque.opened(again) == tree


def test_a_secret_is_nowhere_in_what_is_kept_but_for_its_last_four_characters():
    tree = {
        "llm": {"api_key": KEY, "model": "m", "fallbacks": [{"token": OTHER}]},
        "headers": {"Authorization": f"Bearer {KEY}", "X-Trace": "on"},
        "tool": {"headers": [{"name": "X-API-Key", "value": KEY}, {"name": "Via", "value": "x"}]},
        "credentials": {"user": "u" * 12, "pin": 123456789012},
    }

    stored = opaque.seal(tree, {})

    assert opaque.shown(stored) == {
        "llm": {"api_key": "…1111", "model": "m", "fallbacks": [{"token": "…2222"}]},
        "headers": {"Authorization": "…1111", "X-Trace": "on"},
        "tool": {
            "headers": [{"name": "X-API-Key", "value": "…1111"}, {"name": "Via", "value": "x"}]
        },
        "credentials": {"user": "…uuuu", "pin": "…9012"},
    }  # fmt: skip
    for secret in (KEY, OTHER, "123456789012", "u" * 12):
        assert secret[:-4] not in json.dumps(stored)
    assert opaque.opened(stored) == tree


@pytest.mark.parametrize(("secret", "told"), [("12345678901", "…"), ("123456789012", "…9012")])
def test_of_a_short_secret_nothing_is_told(secret, told):
    assert opaque.shown(opaque.seal({"api_key": secret}, {})) == {"api_key": told}


@pytest.mark.parametrize("empty", ["", None, True, False, [], {}])
def test_what_can_hold_no_secret_stays_as_it_is(empty):
    assert opaque.seal({"api_key": empty}, {}) == {"api_key": empty}


def llm(*keys: str) -> dict:
    return {"fallbacks": [{"provider": f"p{n}", "api_key": key} for n, key in enumerate(keys)]}


def test_a_shown_secret_follows_its_item_to_another_place_of_the_list():
    stored = opaque.seal(llm(KEY, OTHER), {})

    swapped = opaque.seal(llm("…2222", "…1111"), stored)
    shortened = opaque.seal(llm("…2222"), stored)
    added = opaque.seal(llm("new-secret-of-3333", "…1111", "…2222"), stored)

    assert opaque.opened(swapped) == llm(OTHER, KEY)
    assert opaque.opened(shortened) == llm(OTHER)
    assert opaque.opened(added) == llm("new-secret-of-3333", KEY, OTHER)


def test_secrets_that_look_alike_stay_where_they_are_and_are_not_guessed_when_moved():
    stored = opaque.seal(llm("one", "two"), {})

    assert opaque.opened(opaque.seal(llm("…", "…"), stored)) == llm("one", "two")
    assert refused(lambda: opaque.seal(llm("…"), stored)) == (
        "fallbacks.0.api_key is only what we show of a secret (…): send the whole value"
    )


@pytest.mark.parametrize("stored", [{}, {"other": {"api_key": KEY}}, {"llm": {"token": KEY}}])
def test_what_is_shown_of_an_unknown_secret_is_refused_instead_of_kept(stored):
    sealed = opaque.seal(stored, {})

    assert "send the whole value" in refused(
        lambda: opaque.seal({"llm": {"api_key": "…1111"}}, sealed)
    )


def test_a_sealed_secret_is_replaced_not_merged():
    stored = opaque.seal({"api_key": KEY}, {})["api_key"]

    assert opaque.merged(stored, {"a": 1}) == {"a": 1}
    assert opaque.merged({"a": 1}, stored) == stored
    assert opaque.merged({"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}) == {"a": 1, "b": {"d": 2}}


def nested(levels: int):
    value: object = 1
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("a", "x\0", "a must not contain NUL characters or lone surrogates"),
        ("a", {"b\0": 1}, "a must not contain NUL characters or lone surrogates"),
        ("a", [{"b": "\ud800"}], "a must not contain NUL characters or lone surrogates"),
        ("a", [float("inf")], "a must not contain numbers beyond 1.8e308"),
        ("a", {"b": {"__sealed__": "x"}}, "a must not contain the reserved name __sealed__"),
        ("a", nested(33), "a must not be nested more than 32 levels deep"),
        ("a", nested(900), "a must not be nested more than 32 levels deep"),
        ("n" * 101, 1, "The name of a setting must have at most 100 characters, without NUL "
         "characters and lone surrogates"),
        ("a\ud800", 1, "The name of a setting must have at most 100 characters, without NUL "
         "characters and lone surrogates"),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(name, value, sentence):
    assert refused(lambda: opaque.check(name, value)) == sentence


def test_the_limits_are_what_they_say():
    opaque.check("n" * 100, nested(32))
    opaque.check_size({"a": "x" * (opaque.MAX_BYTES - len('{"a": ""}'))})
    opaque.check_size(opaque.seal({"secrets": ["s"] * 100}, {}))

    assert "64 kB" in refused(lambda: opaque.check_size({"a": "x" * opaque.MAX_BYTES}))
    assert "100 secret values" in refused(
        lambda: opaque.check_size(opaque.seal({"secrets": ["s"] * 101}, {}))
    )


def test_secrets_move_to_the_newest_key(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIALS_KEYS = [old]
    stored = opaque.seal({"llm": [{"api_key": KEY}], "x": 1}, {})

    settings.CREDENTIALS_KEYS = [new, old]
    moved = opaque.reencrypted(stored)

    settings.CREDENTIALS_KEYS = [new]
    assert opaque.opened(moved) == {"llm": [{"api_key": KEY}], "x": 1}
    assert opaque.shown(moved) == opaque.shown(stored)
