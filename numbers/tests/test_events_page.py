"""docs/events.md is true: its examples have the shape of what is sent, its snippets verify it."""

import json
import re
import shutil
import subprocess
from decimal import Decimal

import pytest
from django.conf import settings

from burki.testing import SYSTEM
from numbers.models import Purchase
from numbers.services import announcing
from numbers.tests.inbound import owned
from organizations.events.announcing import News, announce, payload_of
from organizations.events.delivering import BACK_OFF
from organizations.events.endpoints import rotate_secret, send_test
from organizations.filters import EVERY_TYPE
from organizations.models import Event, Organization
from organizations.tests.customers import listen, work_off

pytestmark = pytest.mark.django_db
PAGE = (settings.BASE_DIR / "docs" / "events.md").read_text()
EXAMPLES = dict(re.findall(r"\n### (\S+)\n.*?```json\n(.*?)```", PAGE, re.DOTALL))
NEWS = News(type="number.released", data={"name": "Zoë"}, url="https://x.test")


def snippet(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def shape(value):
    """Names, and which kinds of value they have; what is not known may be anything."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return None if value is None else type(value).__name__


def alike(told, example) -> bool:
    if isinstance(told, dict) and isinstance(example, dict):
        return told.keys() == example.keys() and all(alike(told[n], example[n]) for n in told)
    return None in (told, example) or told == example


def happen(organization: Organization) -> None:
    """Everything that is told, once."""
    endpoint, _ = listen(organization, "https://hooks.example.com/burki")
    organization = Organization.objects.get()
    organization.monthly_limit = Decimal(10)
    number = owned(organization, "twilio")
    purchase = Purchase.objects.create(
        organization=organization,
        provider="twilio",
        phone_number=number.phone_number,
        number=number,
        attention_reason="Look at it.",
    )
    for state in ("pending", "completed", "refused"):
        purchase.state = state
        announcing.purchase_moved(purchase, "ordering", organization)
    purchase.state = "completed"
    announcing.purchase_moved(purchase, "uncertain", organization)
    announcing.purchase_needs_person(purchase, organization)
    announcing.number_released(number, organization, how=announcing.RELEASED)
    announcing.numbers_drifted({number: {"voice_url": {}}})
    announcing.number_repaired(number, ["voice_url"], organization)
    announcing.spending_reached(organization, organization.monthly_limit)
    account = number.account
    account.last_check = {"balance": "1", "currency": "USD"}
    account.low_balance_threshold = Decimal(20)
    announcing.balance_low(account)
    send_test(actor=SYSTEM, organization=organization, endpoint_id=endpoint.pk)


def test_every_type_has_an_example_and_no_other_is_told_of():
    assert sorted(EXAMPLES) == sorted(EVERY_TYPE)
    for event_type, example in EXAMPLES.items():
        assert json.loads(example)["type"] == event_type


def test_the_examples_have_the_shape_of_what_is_sent(organization):
    happen(organization)

    told = {event.type: payload_of(event) for event in Event.objects.all()}
    assert sorted(told) == sorted(EXAMPLES)
    for event_type, example in EXAMPLES.items():
        assert alike(shape(told[event_type]), shape(json.loads(example))), event_type
        assert list(told[event_type]) == list(json.loads(example))


def test_the_table_says_how_long_is_waited():
    units = {"second": 1, "minute": 60, "hour": 3600}
    rows = re.findall(r"\| \d+ \| (\d+) (second|minute|hour)s \|", PAGE)

    assert tuple(int(count) * units[unit] for count, unit in rows) == BACK_OFF


def delivered(organization, customer) -> tuple[list[str], dict[str, str], bytes]:
    """The secrets of a real delivery after a rotation, its headers and its body."""
    endpoint, old = listen(organization, customer.url)
    _, new = rotate_secret(actor=SYSTEM, organization=organization, endpoint_id=endpoint.pk)
    announce(Organization.objects.get(), NEWS)
    work_off()
    ((headers, body),) = customer.got
    return [new, old], headers, body


def test_the_python_snippet_verifies_a_real_delivery(organization, customer):
    names: dict = {}
    exec(snippet("python"), names)
    is_ours = names["is_ours"]

    secrets, headers, body = delivered(organization, customer)

    assert [is_ours(secret, headers, body) for secret in secrets] == [True, True]
    assert not is_ours("whsec_" + "A" * 44, headers, body)
    assert not is_ours(secrets[0], headers, body + b" ")
    assert not is_ours(secrets[0], headers | {"webhook-id": "evt_other"}, body)
    assert not is_ours(secrets[0], {}, body)
    late = str(int(headers["webhook-timestamp"]) - 301)
    assert not is_ours(secrets[0], headers | {"webhook-timestamp": late}, body)


@pytest.mark.slow
def test_the_node_snippet_verifies_a_real_delivery(organization, customer, tmp_path):
    node = shutil.which("node")
    assert node, "node is not installed: `make test-all` would install it"
    secrets, headers, body = delivered(organization, customer)
    (tmp_path / "verify.mjs").write_text(snippet("js"))
    given = {"secrets": secrets, "headers": headers, "body": body.decode()}
    (tmp_path / "ask.mjs").write_text(
        'import { isOurs } from "./verify.mjs";\n'
        f"const given = {json.dumps(given)};\n"
        "const body = Buffer.from(given.body);\n"
        "const right = given.secrets.map((one) => isOurs(one, given.headers, body));\n"
        'const wrong = isOurs(given.secrets[0], given.headers, Buffer.from("{}"));\n'
        "console.log(JSON.stringify([...right, wrong]));\n"
    )

    done = subprocess.run(
        [node, "ask.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )

    assert json.loads(done.stdout) == [True, True, False]
