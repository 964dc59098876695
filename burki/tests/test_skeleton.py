"""Settings, logs, checks and commands: the frame that everything stands in."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from burki import logs
from burki.logs import MaskingJsonFormatter, mask
from numbers import checks

PRODUCTION = {
    "SECRET_KEY": "x7Vq!dkf83hsl0aPq9z2mNb4vCx6Yw1eRt5uIoPlKjHgFdSaQw",
    "CREDENTIALS_KEY": "ZGV2ZWxvcG1lbnQtb25seS1ub3QtYS1zZWNyZXQtISE=",
    "DATABASE_URL": "postgresql://burki:secret@db.internal/burki",
    "PUBLIC_BASE_URL": "https://numbers.example.com",
    "ALLOWED_HOSTS": "numbers.example.com",
    "CACHE_URL": "redis://cache.internal:6379/0",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """manage.py in a process of its own, with this environment and no other."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("missing", sorted(set(PRODUCTION) - {"ALLOWED_HOSTS", "CACHE_URL"}))
def test_production_refuses_to_start_without_what_it_needs(missing):
    environment = {k: v for k, v in PRODUCTION.items() if k != missing}

    done = manage("check", **environment)

    assert done.returncode == 1
    assert missing in done.stderr


def test_the_deployment_check_of_a_documented_production_is_clean():
    done = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "System check identified no issues (2 silenced).\n"


def test_another_providers_address_in_production_must_be_meant():
    elsewhere = PRODUCTION | {"TELNYX_API_BASE_URL": "http://127.0.0.1:8100/v2"}

    refused = manage("check", **elsewhere)
    meant = manage("check", SANDBOX="true", **elsewhere)

    assert refused.returncode == 1
    assert "TELNYX_API_BASE_URL is not an https address of api.telnyx.com" in refused.stderr
    assert meant.returncode == 0


def test_a_key_that_is_no_key_fails_the_check(settings):
    settings.CREDENTIALS_KEYS = ["too-short"]

    assert [problem.id for problem in checks.credentials_keys(None)] == ["numbers.E003"]


def test_a_public_address_without_tls_is_warned_about(settings):
    settings.PUBLIC_BASE_URL = "http://numbers.example.com"

    assert [problem.id for problem in checks.public_address(None)] == ["numbers.W002"]


def test_limits_that_each_process_counts_by_itself_are_warned_about(settings):
    assert [problem.id for problem in checks.shared_cache(None)] == ["numbers.W004"]

    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {"default": redis | {"LOCATION": "redis://cache.internal:6379/0"}}
    assert checks.shared_cache(None) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("bought +14155551234 now", "bought +1********34 now"),
        ("?PhoneNumber=%2B14155551234", "?PhoneNumber=%2B1********34"),
        ("filter 14155551234", "filter 1********34"),
        ("key burki_abcdefghijklmnopqrstuvwxyz012345", "key burki_***2345"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: ***5678"),
        ("KEY0123456789abcdef_ghij", "KEY***ghij"),
        ("BEARER abcdefgh12345678, Basic abcdefgh12345678", "***5678, ***5678"),
        ("PassWord = 0123456789", "PassWord = ***6789"),
        ("Paſſword = 0123456789", "Paſſword = ***6789"),
        ("postgresql://burki:0123456789@db/burki", "postgresql://burki:***6789@db/burki"),
        ('{"auth_token": "0123456789abcdef"}', '{"auth_token": "***cdef"}'),
        ("id 01a20a6d-5ea5-762a-a17e-092202bbba80", "id 01a20a6d-5ea5-762a-a17e-092202bbba80"),
        ("2026-11-23T22:01:09Z took 161ms", "2026-11-23T22:01:09Z took 161ms"),
    ],
)
def test_logs_hide_numbers_and_secrets_and_nothing_else(text, masked):
    assert mask(text) == masked


def test_exceptions_are_masked_like_everything_else():
    try:
        raise ValueError("cannot buy +14155551234")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "no", (), sys.exc_info())
    record.request_id = "r1"

    line = json.loads(MaskingJsonFormatter().format(record))

    assert "+1********34" in line["exc_info"]
    assert line["request_id"] == "r1"


def test_a_named_event_carries_its_facts(caplog):
    with caplog.at_level(logging.INFO, logger="burki.events"):
        logs.emit("purchase.claimed", purchase="p1")

    (record,) = caplog.records
    assert (record.event, record.purchase) == ("purchase.claimed", "p1")
    assert record.getMessage() == "purchase.claimed purchase=p1"


def test_every_answer_has_a_request_id_and_keeps_a_harmless_one():
    own = Client().get("/healthz")
    given = Client().get("/healthz", headers={"X-Request-ID": "abc-1"})
    dangerous = Client().get("/healthz", headers={"X-Request-ID": "a b\tc"})

    assert (own.status_code, own.content) == (200, b"ok")
    assert len(own["X-Request-ID"]) == 32
    assert given["X-Request-ID"] == "abc-1"
    assert len(dangerous["X-Request-ID"]) == 32


def test_unknown_paths_answer_json():
    response = Client().get("/nowhere")

    assert response.status_code == 404
    assert response.json() == {"detail": "Not found.", "code": "not_found"}


def test_commands_that_need_the_sandbox_say_so(settings, tmp_path):
    settings.SANDBOX = False

    with pytest.raises(CommandError, match="SANDBOX=true"):
        call_command("seed_demo", key_file=tmp_path / "demo.json")
    with pytest.raises(CommandError, match="SANDBOX=true"):
        call_command("up")


def test_the_environment_example_names_every_variable_and_no_other():
    example = (settings.BASE_DIR / ".env.example").read_text()
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE))
    source = "".join(
        (settings.BASE_DIR / "burki" / name).read_text()
        for name in ("settings.py", "gunicorn_conf.py")
    )

    assert {name for name in named if not re.search(rf"""["']{name}["']""", source)} == set()
    for name in PRODUCTION:
        assert name in named


def of_the_web_server(code: str, env_file: Path) -> list[str]:
    """What it prints in a process of its own, where gunicorn's settings are `gunicorn_conf`."""
    ours = ("WEB_THREADS", "WEB_PROCESSES")
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-c", f"from burki import gunicorn_conf\n{code}"],
        cwd=settings.BASE_DIR,
        env=environment | {"ENV_FILE": str(env_file), "DEBUG": "true"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_web_server_takes_what_env_says_before_its_own_defaults(tmp_path):
    (tmp_path / ".env").write_text("WEB_THREADS=9\n")
    code = "print(gunicorn_conf.threads, gunicorn_conf.workers)"

    assert of_the_web_server(code, tmp_path / ".env") == ["9", "2"]


def test_the_settings_learn_how_many_threads_the_command_line_says(tmp_path):
    (tmp_path / ".env").write_text(f"WEB_THREADS=64\nDATABASE_URL={PRODUCTION['DATABASE_URL']}\n")
    code = """
from types import SimpleNamespace as Is
gunicorn_conf.on_starting(Is(cfg=Is(threads=8)))
from burki import settings
print(settings.REQUESTS_AT_ONCE)
"""

    assert of_the_web_server(code, tmp_path / ".env") == ["7"]
