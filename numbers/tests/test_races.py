"""The same number wanted at the same moment, on real threads: one order, one row, true answers."""

from decimal import Decimal

import pytest

from burki.testing import in_threads, make_organization, orders_sent
from numbers.models import PhoneNumber, Purchase
from numbers.services.requests import Fallback
from numbers.services.spending import committed
from numbers.tests.money import NUMBERS, buy, inside, word

pytestmark = pytest.mark.django_db(transaction=True)
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

# What a repeat may hear: it is being bought right now, or it was.
TRUE_OF_A_REPEAT = {"purchase_in_progress", "replayed"}


@pytest.fixture(autouse=True)
def _unhurried(settings, sandbox, monkeypatch):
    """Threads that wait for a processor do not run out of time."""
    settings.CLOCK_SCALE = 1
    monkeypatch.setattr(sandbox, "latency", 0.01)  # so that an order takes a while


def bought_once(sandbox) -> None:
    assert len(orders_sent(sandbox)) == 1
    assert len(sandbox.owned()) == 1
    assert [number.status for number in PhoneNumber.objects.all()] == ["active"]


@both
@pytest.mark.parametrize(
    "keys",
    [["api:k"] * 8, [None] * 8, [f"api:k{n}" for n in range(8)]],
    ids=["one key", "no key", "eight keys"],
)
def test_eight_identical_requests_at_once_buy_once(keys, provider, organization, sandbox):
    results = in_threads(
        *[lambda key=key: buy(organization, provider, idempotency_key=key) for key in keys]
    )

    became = [word(result) for result in results]
    assert became.count("completed") == 1
    assert set(became) <= {"completed"} | TRUE_OF_A_REPEAT
    bought_once(sandbox)
    assert Purchase.objects.count() == 1


@both
def test_eight_identical_requests_at_once_buy_once_although_only_one_number_is_allowed(
    provider, organization, sandbox
):
    organization.number_limit = 1
    organization.save()

    results = in_threads(*[lambda: buy(organization, provider, idempotency_key="api:k")] * 8)

    became = [word(result) for result in results]
    assert became.count("completed") == 1
    assert set(became) <= {"completed"} | TRUE_OF_A_REPEAT
    bought_once(sandbox)


@pytest.mark.parametrize(("provider", "key"), [("twilio", "api:k"), ("telnyx", None)])
def test_two_organizations_at_one_account_of_the_environment_buy_once(
    provider, key, sandbox, settings
):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "environment-token"
    settings.TELNYX_API_KEY = "KEYenvironment.first"
    one, other = (make_organization(name, accounts=False) for name in ("One", "Other"))

    results = in_threads(
        lambda: buy(one, provider, idempotency_key=key),
        lambda: buy(other, provider, idempotency_key=key),
    )

    assert sorted(map(word, results)) == ["completed", "number_unavailable"]
    bought_once(sandbox)
    states = Purchase.objects.order_by("state").values_list("state", "number__organization__name")
    winner = PhoneNumber.objects.get().organization.name
    assert list(states) == [("completed", winner), ("refused", None)]


def test_two_organizations_with_accounts_of_their_own_buy_once(
    organization, other_organization, sandbox
):
    results = in_threads(lambda: buy(organization), lambda: buy(other_organization))

    assert sorted(map(word, results)) == ["completed", "number_unavailable"]
    bought_once(sandbox)


def test_one_key_with_eight_numbers_at_once_buys_one_of_them(organization, sandbox):
    results = in_threads(
        *[
            lambda n=n: buy(organization, "twilio", f"+1415555123{n}", idempotency_key="api:k")
            for n in range(8)
        ]
    )

    assert sorted(map(word, results)) == ["completed"] + ["idempotency_key_reused"] * 7
    bought_once(sandbox)
    assert Purchase.objects.count() == 1


def test_different_numbers_at_once_are_all_bought(organization, sandbox):
    results = in_threads(
        *[lambda n=n: buy(organization, "telnyx", f"+1415555567{n}") for n in range(8)]
    )

    assert list(map(word, results)) == ["completed"] * 8
    assert len(orders_sent(sandbox)) == len(sandbox.owned()) == 8


LOOKS = {"twilio": "/IncomingPhoneNumbers.json", "telnyx": "/available_phone_numbers"}


@both
@pytest.mark.parametrize(
    ("whose", "key"),
    [("organization", "api:k"), ("environment", None), ("environment", "api:another")],
)
def test_a_number_that_we_bought_while_we_looked_is_ours_and_not_a_stranger_s(
    whose, key, provider, sandbox, settings, monkeypatch
):
    """The look-up before the claim finds what the same request has bought meanwhile."""
    if whose == "environment":
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "env-token"
        settings.TELNYX_API_KEY = "KEYenvironment.first"
    organization = make_organization("Acme", accounts=whose == "organization")

    def faster() -> str:
        return word(lambda: buy(organization, provider, idempotency_key="api:k"))

    seen = inside(monkeypatch, sandbox, faster, method="GET", path=LOOKS[provider])

    became = word(lambda: buy(organization, provider, idempotency_key=key))

    assert (seen, became) == (["completed"], "replayed")
    bought_once(sandbox)
    assert Purchase.objects.count() == 1


def test_a_number_that_we_bought_while_we_looked_is_not_a_reason_to_buy_another(
    sandbox, settings, monkeypatch
):
    settings.TELNYX_API_KEY = "KEYenvironment.first"
    organization = make_organization("Acme", accounts=False)
    consent = {"fallback": Fallback(same_area_code=True)}
    seen = inside(
        monkeypatch,
        sandbox,
        lambda: word(lambda: buy(organization, "telnyx", idempotency_key="api:k", **consent)),
        method="GET",
        path=LOOKS["telnyx"],
    )

    became = word(lambda: buy(organization, "telnyx", idempotency_key="api:another", **consent))

    assert (seen, became) == (["completed"], "replayed")
    bought_once(sandbox)


@both
def test_a_number_that_a_stranger_bought_while_we_looked_is_unavailable(
    provider, organization, other_organization, sandbox, monkeypatch
):
    seen = inside(
        monkeypatch,
        sandbox,
        lambda: word(lambda: buy(other_organization, provider)),
        method="GET",
        path=LOOKS[provider],
    )

    became = word(lambda: buy(organization, provider))

    assert (seen, became) == (["completed"], "number_unavailable")
    bought_once(sandbox)
    assert PhoneNumber.objects.get().organization == other_organization


@both
def test_ten_requests_at_once_under_a_limit_that_allows_one_buy_one(
    provider, organization, sandbox
):
    organization.monthly_limit = Decimal("1.20")
    organization.save()
    prefix = NUMBERS[provider][:-1]

    results = in_threads(
        *[lambda n=n: buy(organization, provider, f"{prefix}{n}") for n in range(10)]
    )

    assert sorted(map(word, results)) == ["completed"] + ["spending_limit_exceeded"] * 9
    bought_once(sandbox)
    assert Purchase.objects.count() == 1
    assert committed(organization) == {"twilio": Decimal("1.15"), "telnyx": Decimal("1")}[provider]


def test_ten_requests_at_once_under_a_count_that_allows_one_buy_one(organization, sandbox):
    organization.number_limit = 1
    organization.save()

    results = in_threads(
        *[lambda n=n: buy(organization, "twilio", f"+1415555123{n}") for n in range(10)]
    )

    assert sorted(map(word, results)) == ["completed"] + ["spending_limit_exceeded"] * 9
    bought_once(sandbox)


def test_two_that_want_a_number_which_the_provider_refuses_leave_nothing_behind(
    organization, other_organization, sandbox
):
    number = "+14155550001"

    results = in_threads(
        lambda: buy(organization, "twilio", number),
        lambda: buy(other_organization, "twilio", number),
    )

    assert set(map(word, results)) <= {"number_unavailable", "unavailable"}
    assert sandbox.owned() == []
    assert PhoneNumber.objects.count() == 0
    assert 1 <= len(orders_sent(sandbox)) <= 2
