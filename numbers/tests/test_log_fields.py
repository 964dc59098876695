"""Log lines as machines read them: whose request or job, which purchase, what the provider said,
each as a field; and never a whole number or a secret."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from procrastinate.contrib.django import app

from burki.logs import ContextFilter, MaskingJsonFormatter, bound
from burki.testing import SYSTEM, TELNYX_NUMBER, TWILIO_NUMBER, TWILIO_TOKEN, post
from numbers.exceptions import PurchaseUncertain, ReleaseUncertain
from numbers.models import Purchase, Release
from numbers.services.release import release_number
from numbers.tests.inbound import run_worker
from numbers.tests.inventories import bought
from numbers.tests.money import buy, settle
from organizations import audit
from organizations.models import AuditEvent

BOTH = pytest.mark.parametrize(
    ("provider", "header", "number"),
    [("twilio", "Twilio-Request-Id", TWILIO_NUMBER), ("telnyx", "x-request-id", TELNYX_NUMBER)],
)


@pytest.fixture
def lines() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Everything that is logged meanwhile, as it is written in production; `lines(logger)` are
    those of one logger."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(ContextFilter())
    handler.setFormatter(MaskingJsonFormatter())

    def read(name: str = "") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in written.getvalue().splitlines()]
        return [line for line in found if name in ("", line["name"])]

    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield read
    root.removeHandler(handler)
    root.setLevel(level)


def asked(lines: Callable, method: str = "") -> list[dict[str, Any]]:
    """The lines about requests to providers."""
    found = lines("numbers.providers.http")
    return [line for line in found if method in ("", line["method"])]


@BOTH
def test_the_line_of_an_order_tells_all_that_one_asks_the_provider_with(
    client, organization, sandbox, lines, provider, header, number
):
    sandbox.add_fault(times=None, headers={header: "RQ0a1b2c"})
    body = {"provider": provider, "phone_number": number}

    answer = post(client, "/phone-numbers/purchase", body, HTTP_X_REQUEST_ID="req-1")

    assert answer.status_code == 200
    (order,) = asked(lines, "POST")
    assert order.pop("ms") >= 0
    assert order.pop("asctime") and order.pop("message").startswith(f"{provider} POST /")
    path = order.pop("path")
    assert path.endswith(
        {"twilio": "/IncomingPhoneNumbers.json", "telnyx": "/number_orders"}[provider]
    )
    assert order == {
        "levelname": "INFO",
        "name": "numbers.providers.http",
        "provider": provider,
        "method": "POST",
        "status": {"twilio": 201, "telnyx": 200}[provider],
        "provider_request_id": "RQ0a1b2c",
        "purchase": str(Purchase.objects.get().pk),
        "request_id": "req-1",
    }
    (request,) = lines("burki.requests")
    assert (request["method"], request["path"], request["status"]) == (
        "POST",
        "/phone-numbers/purchase",
        200,
    )
    written = json.dumps(lines())
    secrets = (number, number[1:], TWILIO_TOKEN, organization.provider_accounts.first().secret)
    assert [secret for secret in secrets if secret in written] == []


@BOTH
def test_a_look_for_a_lost_order_is_that_purchases(
    organization, sandbox, lines, provider, header, number
):
    with pytest.raises(PurchaseUncertain):
        buy(organization, provider, f"{number[:-4]}0030")
    purchase = Purchase.objects.get()
    before = len(asked(lines))

    settle(purchase)

    looks = asked(lines)[before:]
    assert looks and {line["purchase"] for line in looks} == {str(purchase.pk)}
    assert {line["request_id"] for line in looks} == {""}


def test_a_release_is_named_in_its_request_and_its_looks(organization, sandbox, lines):
    number = bought(organization, "telnyx", "+14155550071")
    before = len(asked(lines))

    with pytest.raises(ReleaseUncertain):
        release_number(
            actor=SYSTEM,
            organization=organization,
            phone_number=str(number),
            provider=None,
            idempotency_key=None,
        )

    sent = asked(lines)[before:]
    assert [line["method"] for line in sent][:1] == ["DELETE"] and len(sent) > 1
    assert {line["release"] for line in sent} == {str(Release.objects.get().pk)}
    assert sent[0]["status"] == "ConnectionError"
    assert sent[0]["provider_request_id"] == ""


@pytest.mark.parametrize("given", ["a b", "x" * 65, "[x]", "é"])
def test_a_request_id_that_is_no_word_is_left_out(organization, sandbox, lines, given):
    sandbox.add_fault(times=None, headers={"x-request-id": given})

    bought(organization, "telnyx")

    assert {line["provider_request_id"] for line in asked(lines)} == {""}


def test_what_a_job_logs_and_audits_carries_its_id(queue, organization, lines):
    @app.task(name="tests.says", queue="bulk")
    def says() -> None:
        logging.getLogger("tests").info("hello")
        audit.record(SYSTEM, "test.said", organization, organization=organization)

    try:
        job_id = says.defer()
        run_worker("bulk")
    finally:
        del app.tasks["tests.says"]

    (line,) = lines("tests")
    assert line["request_id"] == f"job:{job_id}"
    assert AuditEvent.objects.get(action="test.said").request_id == f"job:{job_id}"
    logging.getLogger("tests").info("afterwards")
    assert lines("tests")[-1]["request_id"] == ""


def test_what_is_bound_ends_with_its_block_and_a_lines_own_facts_win(lines):
    logger = logging.getLogger("tests")
    with bound(purchase="p1"):
        with bound(release=7):
            logger.info("both")
        logger.info("own", extra={"purchase": "p2"})
    logger.info("none")

    told = [(line.get("purchase"), line.get("release")) for line in lines("tests")]
    assert told == [("p1", "7"), ("p2", None), (None, None)]
