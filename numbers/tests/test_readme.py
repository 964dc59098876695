"""The README is true: its table of scenarios is the sandbox's, its routes and settings exist."""

import re

from django.conf import settings
from django.urls import resolve

from numbers.sandbox import SCENARIOS
from numbers.tests.test_scenarios import TABLE, Ends

README = (settings.BASE_DIR / "README.md").read_text()


def scenario_table() -> str:
    rows = ["| last digits | name | Twilio | Telnyx |", "|---|---|---|---|"]
    rows += [f"| {s.digits} | {s.name} | {s.twilio} | {s.telnyx} |" for s in SCENARIOS.values()]
    return "\n".join(rows)


def test_the_table_of_scenarios_is_the_sandboxes():
    shown = README.partition("a test compares -->\n")[2].partition("\n<!-- end of scenarios")[0]

    assert shown.strip() == scenario_table()


def test_every_route_in_the_readme_exists():
    methods = "GET|POST|PUT|PATCH|DELETE"
    routes = re.findall(rf"`(?:{methods}) ((?:/api/v1/|/phone-numbers)[^`]*)`", README)

    assert len(routes) >= 15
    for route in routes:
        assert resolve(route.replace("{number}", "+14155551234").replace("{id}", "1"))


def test_every_path_in_the_readme_exists():
    paths = re.findall(r"`((?:burki|organizations|assistants|numbers)/[\w/.]*)`", README)

    assert len(paths) >= 10
    assert [path for path in paths if not (settings.BASE_DIR / path).exists()] == []


ANSWERS = {
    "completed": ("200", "true"),
    "pending": ("200", "true"),
    "refused": ("500", "false"),
    "uncertain": ("504", "null"),
    "": ("409", "false"),
}


def told(ends: Ends) -> str:
    """`POSTs, HTTP answer, charged, state → final state`, as the page shows them."""
    answer, charged = ANSWERS[ends.state]
    states = " → ".join(dict.fromkeys(s for s in (ends.state, ends.at_last) if s)) or "not tried"
    code = f" ({ends.code})" if ends.code else ""
    return f"{ends.posts} | {answer} | {charged} | {states}{code}"


def fault_table() -> str:
    rows = [
        "| | what the provider does | orders sent | HTTP | charged | state | orders sent | HTTP "
        "| charged | state |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| {digits} | {SCENARIOS[digits].name} | {told(twilio)} | {told(telnyx)} |"
        for digits, (twilio, telnyx) in TABLE.items()
    ]
    return "\n".join(rows)


def test_the_page_of_faults_says_what_the_tests_prove():
    page = (settings.BASE_DIR / "docs" / "provider-faults.md").read_text()

    assert page.endswith(f"\n\n{fault_table()}\n")


def test_every_route_of_the_api_is_in_the_readme():
    """By the words of its path; parts that vary, and abbreviated beginnings, are left out."""
    described = (settings.BASE_DIR / "openapi.yaml").read_text()
    paths = re.findall(r"^  (/\S+):$", described, re.M)
    told = " ".join(re.findall(r"`([^`\n]+)`", README))
    words = {word for path in paths for word in re.findall(r"/([a-z][\w.-]*)", path)}

    assert len(words) >= 40
    assert sorted(word for word in words if word not in told) == []
