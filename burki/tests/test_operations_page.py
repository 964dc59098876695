"""docs/operations.md is true: whatever it names exists, and says what the code does."""

import re

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.admin.utils import flatten
from django.core.management import get_commands, load_command_class
from django.urls import resolve
from prometheus_client import Counter, Histogram

from burki import metrics
from numbers import clocks
from organizations.events.types import TYPES

DOCS = settings.BASE_DIR / "docs"
PAGE = (DOCS / "operations.md").read_text()
RETENTION = {
    "operations.md": PAGE.partition("## What is kept")[2],
    "audit.md": (DOCS / "audit.md")
    .read_text()
    .partition("## What is kept")[2]
    .partition("\n## ")[0],
}
OURS = ("organizations", "assistants", "numbers")


def quoted(text: str = PAGE) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def test_every_command_exists_and_takes_the_options_given():
    named = re.findall(r"(?:manage\.py |`)(run_worker|\w+)((?: --[\w-]+)*)", PAGE)
    named = [(name, options.split()) for name, options in named if name in get_commands()]
    written = set(re.findall(r"manage\.py (\w+)", PAGE))

    assert len(written) >= 6
    assert written == {name for name, _ in named} & written
    for name, options in named:
        command = load_command_class(get_commands()[name], name)
        taken = flatten(a.option_strings for a in command.create_parser("manage.py", name)._actions)
        assert [one for one in options if one not in taken] == [], name


def test_every_setting_can_be_set():
    example = (settings.BASE_DIR / ".env.example").read_text()
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", PAGE))

    assert len(named) >= 12
    assert [name for name in sorted(named) if not re.search(rf"^#? ?{name}=", example, re.M)] == []


def known_metrics() -> dict[str, set[str]]:
    """Every series that a scrape can have, and its labels."""
    found = {name: set(gauge[1]) for name, gauge in metrics._GAUGES.items()}
    for one in vars(metrics).values():
        if isinstance(one, Counter):
            found[f"{one._name}_total"] = set(one._labelnames)
        elif isinstance(one, Histogram):
            found[f"{one._name}_bucket"] = {*one._labelnames, "le"}
    return found


def test_every_metric_exists_with_the_labels_given_and_every_one_is_told():
    known = known_metrics()
    named = re.findall(r"(burki_\w+)(?:\{([^}]*)\})?", PAGE)

    for name, labels in named:
        assert name in known, name
        assert set(re.findall(r"(\w+)(?:=|!=|=~|!~)\"", labels)) <= known[name], name
    assert {name for name, _ in named} == set(known)


def test_every_queue_and_process_exists():
    processes = re.findall(r"^(\w+):", (settings.BASE_DIR / "Procfile").read_text(), re.M)
    table = PAGE.partition("## Processes")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `(\w+)`", table, re.M) == ["web", "settle", "calls", "worker"]
    assert sorted(processes) == ["calls", "settle", "web", "worker"]
    queues = load_command_class("burki", "run_worker").create_parser("manage.py", "run_worker")
    (choices,) = (a.choices for a in queues._actions if a.dest == "queues")
    assert set(re.findall(r"queue=\"(\w+)\"", PAGE)) <= set(choices)


def test_every_table_model_route_and_file_exists():
    models = {model.__name__ for model in apps.get_models()}
    tables = {model._meta.db_table for model in apps.get_models()}
    routes = [one.split()[1] for one in quoted() if re.match(r"(GET|POST|PUT) /", one)]
    files = [one for one in quoted() if re.fullmatch(r"docs/\w+\.md|Procfile|\.env\.example", one)]

    named = [one for one in quoted() if re.fullmatch(r"(numbers|organizations|django)_[a-z]+", one)]
    assert len(named) >= 8 and set(named) <= tables
    for page, text in RETENTION.items():
        told = {one for one in quoted(text) if re.fullmatch(r"([A-Z][a-z]+)+", one)}
        assert len(told) >= 8 and told <= models, page
    assert len(routes) >= 4 and all(resolve(one.replace("{id}", "1")) for one in routes[:-1])
    assert len(files) >= 4 and all((settings.BASE_DIR / one).exists() for one in files)
    assert {"purchase.needs_person"} <= set(quoted()) & set(TYPES)


def test_every_ledger_says_how_long_it_is_kept():
    """All models but what people set up, which stays until they change it, and what only follows
    from other rows."""
    set_up = {"Organization", "User", "Membership", "ApiKey", "ProviderAccount", "EventEndpoint",
              "Assistant", "SigningSecret", "ProviderSetup", "VerifiedCallerId"}  # fmt: skip
    follows = {"NumberTally", "CostTally", "CallerIdCall"}
    ours = {m.__name__ for app in OURS for m in apps.get_app_config(app).get_models()}

    assert ours - set_up - follows - set(quoted(RETENTION["operations.md"])) == set()


@pytest.mark.parametrize("page", RETENTION)
def test_the_days_are_those_of_the_code(page):
    text = RETENTION[page]

    for name in ("WEBHOOK_RETENTION_DAYS", "EVENT_RETENTION_DAYS"):
        (days,) = re.findall(rf"`{name}`,? \(?(\d+)", text)
        assert int(days) == getattr(settings, name)
    assert f"| {clocks.OFFERS_ARE_KEPT.days} days |" in text


def test_the_figures_about_connections_are_those_of_the_settings():
    options = settings.DATABASES["default"]["OPTIONS"]

    assert f"| `DB_POOL_MAX`, or {options['pool']['max_size']}, and 3 for the job queue |" in PAGE
    assert f"| one web process | `DB_POOL_MAX`, or {options['pool']['max_size']} |" in PAGE
    assert settings.PURCHASE_TURNS == 1 and "works on one at a time (`PURCHASE_TURNS`)" in PAGE
    assert f"within {options['pool']['timeout']} seconds\nanswers 503".replace("\n", " ") in (
        re.sub(r"\s+", " ", PAGE)
    )
    assert "idle_in_transaction_session_timeout=10s -c lock_timeout=5s" in options["options"]


def test_the_readme_leads_to_every_page_of_the_docs():
    readme = (settings.BASE_DIR / "README.md").read_text()

    assert [p.name for p in sorted(DOCS.glob("*.md")) if f"docs/{p.name}" not in readme] == []
