"""Credentials are stored under the rules of identity: a row stands for one account for ever."""

import pytest

from burki.errors import BurkiError, InvalidRequest
from burki.testing import SYSTEM, in_threads, make_organization, make_user
from organizations.actors import Actor
from organizations.credentials import Proof, change_account, replace_secret, store_credentials
from organizations.models import AuditEvent, ProviderAccount

SID, OTHER_SID = "AC" + "1" * 32, "AC" + "2" * 32
TOKEN, NEW_TOKEN = "first-token-of-globex-1a2b", "second-token-of-globex-3c4d"
KEY, NEW_KEY = "KEYglobex.first-11aa", "KEYglobex.second-22bb"

pytestmark = pytest.mark.django_db


@pytest.fixture
def globex():
    return make_organization("Globex", accounts=False)


def store(organization, provider="twilio", **over) -> ProviderAccount:
    wanted = (
        {"account_sid": SID, "secret": TOKEN} if provider == "twilio" else {"secret": KEY}
    ) | over
    actor = wanted.pop("actor", SYSTEM)
    return store_credentials(actor=actor, organization=organization, provider=provider, **wanted)


def rows(organization) -> list[tuple[str, str, bool]]:
    return [
        (row.provider, row.secret, row.is_default)
        for row in ProviderAccount.objects.filter(organization=organization).order_by("pk")
    ]


def audited(*actions: str) -> list[dict]:
    wanted = actions or ("added", "changed", "secret_replaced")
    names = [f"provider_account.{action}" for action in wanted]
    return [e.data for e in AuditEvent.objects.filter(action__in=names).order_by("pk")]


def test_the_first_account_at_a_provider_is_its_default(globex):
    store(globex)
    store(globex, "telnyx", connection_id="123", messaging_profile_id="a-b", public_key="k=")

    assert rows(globex) == [("twilio", TOKEN, True), ("telnyx", KEY, True)]
    telnyx = ProviderAccount.objects.get(provider="telnyx")
    assert (telnyx.connection_id, telnyx.messaging_profile_id) == ("123", "a-b")
    assert telnyx.public_key == "k="
    assert audited() == [
        {"provider": "twilio", "secret": "…1a2b"},
        {"provider": "telnyx", "secret": "…11aa"},
    ]


def test_a_known_twilio_sid_keeps_its_row_and_gets_the_new_token(globex):
    first = store(globex)

    again = store(globex, account_sid="AC" + "1" * 32, secret=NEW_TOKEN)

    assert again.pk == first.pk
    assert rows(globex) == [("twilio", NEW_TOKEN, True)]
    assert audited("secret_replaced") == [
        {"before": "…1a2b", "secret": "…3c4d", "proof": "the account of that SID"}
    ]


def test_the_letters_of_a_twilio_sid_may_be_large_or_small(globex):
    first = store(globex, account_sid="AC" + "ab" * 16)

    assert store(globex, account_sid="AC" + "AB" * 16).pk == first.pk


def test_another_twilio_sid_is_another_row(globex):
    first = store(globex)

    second = store(globex, account_sid=OTHER_SID, secret=NEW_TOKEN)

    first.refresh_from_db()
    assert (first.account_sid, second.account_sid) == (SID, OTHER_SID)
    assert rows(globex) == [("twilio", TOKEN, True), ("twilio", NEW_TOKEN, False)]


def test_the_same_telnyx_key_is_the_same_row_and_another_is_another(globex):
    first = store(globex, "telnyx")

    assert store(globex, "telnyx").pk == first.pk
    assert store(globex, "telnyx", secret=NEW_KEY).pk != first.pk

    assert rows(globex) == [("telnyx", KEY, True), ("telnyx", NEW_KEY, False)]


def test_storing_the_same_again_changes_nothing_and_is_no_news(globex):
    before = store(globex, label="main")
    events = AuditEvent.objects.count()

    store(globex, label="main")
    store(globex)

    after = ProviderAccount.objects.get()
    assert after.updated_at == before.updated_at
    assert after.label == "main"
    assert AuditEvent.objects.count() == events


def test_a_new_default_takes_the_place_of_the_old_one(globex):
    store(globex)
    store(globex, account_sid=OTHER_SID, secret=NEW_TOKEN, make_default=True)
    assert rows(globex) == [("twilio", TOKEN, False), ("twilio", NEW_TOKEN, True)]

    store(globex, make_default=True)
    assert rows(globex) == [("twilio", TOKEN, True), ("twilio", NEW_TOKEN, False)]


def test_another_organization_s_row_is_never_touched(globex):
    other = make_organization("Initech", accounts=False)
    store(other)
    store(other, "telnyx")

    store(globex, secret=NEW_TOKEN)
    store(globex, "telnyx")

    assert rows(other) == [("twilio", TOKEN, True), ("telnyx", KEY, True)]
    assert rows(globex) == [("twilio", NEW_TOKEN, True), ("telnyx", KEY, True)]


def test_a_proof_puts_a_new_telnyx_key_into_the_row(globex):
    account = store(globex, "telnyx")

    same = store(
        globex,
        "telnyx",
        secret=NEW_KEY,
        replaces=account,
        proof=Proof.of(account, NEW_KEY, saw="number 42"),
    )

    assert same.pk == account.pk
    assert rows(globex) == [("telnyx", NEW_KEY, True)]
    assert audited("secret_replaced") == [
        {"before": "…11aa", "secret": "…22bb", "proof": "number 42"}
    ]


@pytest.mark.parametrize("wrong", ["none", "another key", "another account"])
def test_without_its_own_proof_no_key_is_replaced(globex, wrong):
    account = store(globex, "telnyx")
    another = store(globex, "telnyx", secret="KEYanother.1-9999")
    proof = {
        "none": None,
        "another key": Proof.of(account, "KEYglobex.third-33cc", saw="x"),
        "another account": Proof.of(another, NEW_KEY, saw="x"),
    }[wrong]
    events = AuditEvent.objects.count()

    with pytest.raises(InvalidRequest, match="Nothing shows that this Telnyx API key belongs to"):
        replace_secret(actor=SYSTEM, account=account, secret=NEW_KEY, proof=proof)

    assert [secret for _, secret, _ in rows(globex)] == [KEY, "KEYanother.1-9999"]
    assert AuditEvent.objects.count() == events


def test_a_twilio_token_as_well_is_replaced_only_with_a_proof(globex):
    account = store(globex)

    with pytest.raises(InvalidRequest, match="Nothing shows that this Twilio auth token"):
        replace_secret(actor=SYSTEM, account=account, secret=NEW_TOKEN, proof=None)
    proof = Proof.of(account, NEW_TOKEN, saw="the account itself")
    replace_secret(actor=SYSTEM, account=account, secret=NEW_TOKEN, proof=proof)

    assert rows(globex) == [("twilio", NEW_TOKEN, True)]


def test_a_key_that_another_row_has_is_not_given_to_a_second(globex):
    account = store(globex, "telnyx")
    store(globex, "telnyx", secret=NEW_KEY, label="the other")

    with pytest.raises(InvalidRequest, match=r"has this key already: Telnyx \(the other\)"):
        replace_secret(
            actor=SYSTEM,
            account=account,
            secret=NEW_KEY,
            proof=Proof.of(account, NEW_KEY, saw="x"),
        )


def test_the_environment_s_row_takes_no_secret():
    row = ProviderAccount.objects.create(source="environment", provider="telnyx", fingerprint="f")

    with pytest.raises(InvalidRequest, match="environment"):
        replace_secret(actor=SYSTEM, account=row, secret=KEY, proof=Proof.of(row, KEY, saw="x"))
    with pytest.raises(InvalidRequest, match="environment"):
        change_account(actor=SYSTEM, account=row, label="mine")


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_those_who_administrate_the_organization_store_credentials(globex, role):
    account = store(globex, "telnyx")
    actor = Actor.for_user(make_user(globex, role))
    proof = Proof.of(account, NEW_KEY, saw="x")

    for call in (
        lambda: store(globex, actor=actor),
        lambda: replace_secret(actor=actor, account=account, secret=NEW_KEY, proof=proof),
        lambda: change_account(actor=actor, account=account, label="mine"),
    ):
        with pytest.raises(BurkiError) as caught:
            call()
        assert caught.value.code == "permission_denied"

    assert rows(globex) == [("telnyx", KEY, True)]


@pytest.mark.parametrize(
    ("provider", "wrong", "field"),
    [
        ("twilio", {"account_sid": ""}, "account_sid"),
        ("twilio", {"account_sid": "AC123"}, "account_sid"),
        ("twilio", {"account_sid": SID + "\n"}, "account_sid"),
        ("telnyx", {"account_sid": SID}, "account_sid"),
        ("telnyx", {"secret": ""}, "secret"),
        ("telnyx", {"secret": "short"}, "secret"),
        ("telnyx", {"secret": "…11aa"}, "secret"),
        ("telnyx", {"secret": "KEY with blanks"}, "secret"),
        ("telnyx", {"secret": "KEY\0\0\0\0\0\0\0"}, "secret"),
        ("telnyx", {"secret": "KEYclef-à-moi"}, "secret"),
        ("telnyx", {"secret": "K" * 257}, "secret"),
        ("telnyx", {"connection_id": "../balance"}, "connection_id"),
        ("telnyx", {"messaging_profile_id": "x" * 65}, "messaging_profile_id"),
        ("telnyx", {"public_key": "x y"}, "public_key"),
        ("telnyx", {"label": "a\nb"}, "label"),
        ("telnyx", {"label": "x" * 101}, "label"),
    ],
)
def test_what_cannot_be_credentials_is_refused_with_the_field_s_name(
    globex, provider, wrong, field
):
    with pytest.raises(InvalidRequest) as caught:
        store(globex, provider, **wrong)

    assert list(caught.value.facts["errors"]) == [field]
    assert rows(globex) == []


def test_the_default_is_given_to_another_and_not_given_up(globex):
    first, second = store(globex), store(globex, account_sid=OTHER_SID, secret=NEW_TOKEN)

    with pytest.raises(InvalidRequest, match="Make another account the default instead"):
        change_account(actor=SYSTEM, account=first, is_default=False)
    change_account(actor=SYSTEM, account=second, is_default=True, label="new")

    assert rows(globex) == [("twilio", TOKEN, False), ("twilio", NEW_TOKEN, True)]
    assert audited("changed") == [{"fields": ["is_default", "label"]}]


@pytest.mark.django_db(transaction=True)
def test_the_same_credentials_stored_at_once_make_one_row(globex):
    for provider in ("twilio", "telnyx"):
        results = in_threads(*[lambda p=provider: store(globex, p)] * 6)
        assert len({result.pk for result in results}) == 1

    assert rows(globex) == [("twilio", TOKEN, True), ("telnyx", KEY, True)]
    assert len(audited("added")) == 2


@pytest.mark.django_db(transaction=True)
def test_accounts_stored_at_once_have_one_default(globex):
    calls = [
        lambda digit=digit: store(globex, account_sid="AC" + digit * 32, make_default=True)
        for digit in "123456"
    ]

    results = in_threads(*calls)

    assert [r for r in results if isinstance(r, Exception)] == []
    assert sorted(is_default for _, _, is_default in rows(globex)) == [False] * 5 + [True]
