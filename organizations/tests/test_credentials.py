"""Credentials at rest: ciphertext only, re-encrypted under a new key, never lost silently."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from burki.testing import TWILIO_TOKEN, make_organization
from numbers.tests.money import buy, word
from organizations.crypto import CredentialsUnreadable, decrypt, encrypt
from organizations.models import AuditEvent, ProviderAccount

OLD, NEW, LOST = ("A" * 42 + "A=", "B" * 42 + "A=", "C" * 42 + "A=")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _old_key(settings):
    settings.CREDENTIALS_KEYS = [OLD]


def stored() -> list[str]:
    """Every account as the database has it: all columns as one text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT account::text FROM organizations_provideraccount account")
        return [row for (row,) in cursor.fetchall()]


def twilio(organization) -> ProviderAccount:
    return ProviderAccount.objects.get(organization=organization, provider="twilio")


def telnyx(organization) -> ProviderAccount:
    return ProviderAccount.objects.get(organization=organization, provider="telnyx")


def test_what_is_stored_is_ciphertext(organization):
    key = "KEYacme.first-0123456789abcd"
    assert (twilio(organization).secret, telnyx(organization).secret) == (TWILIO_TOKEN, key)

    rows = stored()

    assert len(rows) == 2
    for row in rows:
        assert TWILIO_TOKEN not in row and TWILIO_TOKEN[-4:] not in row
        assert key not in row and key[-4:] not in row
    token = twilio(organization).encrypted_credentials
    assert Fernet(OLD).decrypt(token.encode()) == f'{{"secret": "{TWILIO_TOKEN}"}}'.encode()


def test_the_same_secret_is_never_the_same_ciphertext():
    assert encrypt({"secret": "x"}) != encrypt({"secret": "x"})


def test_an_account_without_a_secret_stores_nothing(organization):
    account = twilio(organization)
    account.secret = ""
    account.save()

    account = twilio(organization)
    assert (account.encrypted_credentials, account.secret, account.secret_hint) == ("", "", "")


def test_a_changed_ciphertext_is_unreadable():
    token = encrypt({"secret": "x"})

    with pytest.raises(CredentialsUnreadable):
        decrypt(token[:-4] + "AAA=")


def test_the_first_key_encrypts_and_all_decrypt(organization, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    later = make_organization("Later")

    assert twilio(organization).secret == twilio(later).secret == TWILIO_TOKEN

    settings.CREDENTIALS_KEYS = [NEW]
    assert twilio(later).secret == TWILIO_TOKEN
    with pytest.raises(CredentialsUnreadable):
        _ = twilio(organization).secret


def test_after_rotation_the_old_key_can_be_dropped(organization, settings, sandbox, capsys):
    make_organization("Empty", accounts=False)
    before = stored()
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    call_command("rotate_credentials")

    assert capsys.readouterr().out == "2 re-encrypted.\n"
    assert not set(before) & set(stored())
    settings.CREDENTIALS_KEYS = [NEW]
    assert twilio(organization).secret == TWILIO_TOKEN
    assert telnyx(organization).secret == "KEYacme.first-0123456789abcd"
    assert word(lambda: buy(organization)) == "completed"
    settings.CREDENTIALS_KEYS = [OLD]
    with pytest.raises(CredentialsUnreadable):
        _ = twilio(organization).secret


def test_rotation_is_in_the_audit_of_each_organization(organization, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    call_command("rotate_credentials")

    events = AuditEvent.objects.filter(action="provider_account.reencrypted")
    assert {(e.organization, e.actor_label, e.object_id) for e in events} == {
        (organization, "rotate_credentials", str(twilio(organization).pk)),
        (organization, "rotate_credentials", str(telnyx(organization).pk)),
    }


def test_an_organization_s_keys_of_other_services_are_rotated_with_the_rest(organization, settings):
    organization.api_keys_of_others = {"openai": "sk-0123456789abcdef"}
    organization.save()
    before = organization.encrypted_api_keys
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    call_command("rotate_credentials")

    settings.CREDENTIALS_KEYS = [NEW]
    organization.refresh_from_db()
    assert organization.encrypted_api_keys != before
    assert organization.api_keys_of_others == {"openai": "sk-0123456789abcdef"}
    event = AuditEvent.objects.get(action="organization.reencrypted")
    assert event.organization == organization


def test_rotating_twice_changes_no_secret(organization, settings):
    settings.CREDENTIALS_KEYS = [NEW, OLD]
    call_command("rotate_credentials")
    call_command("rotate_credentials")

    settings.CREDENTIALS_KEYS = [NEW]
    assert twilio(organization).secret == TWILIO_TOKEN


def test_rotation_leaves_the_environment_s_rows_alone(settings, capsys):
    ProviderAccount.objects.create(source="environment", provider="telnyx", fingerprint="f")
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    call_command("rotate_credentials")

    assert capsys.readouterr().out == "0 re-encrypted.\n"
    assert ProviderAccount.objects.get().encrypted_credentials == ""


def test_what_no_key_opens_is_reported_and_kept_and_the_rest_is_rotated(
    organization, settings, capsys
):
    lost = twilio(organization)
    lost.encrypted_credentials = Fernet(LOST).encrypt(b'{"secret": "x"}').decode()
    lost.label = "the old office"
    lost.save()
    settings.CREDENTIALS_KEYS = [NEW, OLD]

    with pytest.raises(CommandError) as caught:
        call_command("rotate_credentials")

    assert str(caught.value) == "No key opens: Twilio (the old office). Keep the old keys."
    assert capsys.readouterr().out == "1 re-encrypted.\n"
    assert twilio(organization).encrypted_credentials == lost.encrypted_credentials
    settings.CREDENTIALS_KEYS = [NEW]
    assert telnyx(organization).secret == "KEYacme.first-0123456789abcd"
    settings.CREDENTIALS_KEYS = [LOST]
    assert twilio(organization).secret == "x"
