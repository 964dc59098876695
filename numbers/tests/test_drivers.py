"""The contract of a driver, held by both: what the services rely on, whoever the provider is."""

import time
from decimal import Decimal

import pytest

from burki.testing import CLOCK_SCALE, orders_sent
from numbers.exceptions import OutcomeUnknown, ProviderRefused, ProviderUnreachable
from numbers.providers.base import OrderState, Price, Routing, SearchCriteria, Sighting, Standing
from numbers.tests.driving import (
    ACCOUNTS,
    NUMBERS,
    PROVIDERS,
    ROUTING,
    SECRETS,
    TAG,
    bought,
    driver_of,
    order,
    sent,
)

VOICE_ONLY = {"voice": True, "sms": False, "mms": False, "fax": False}
NO_FAX = {"voice": True, "sms": True, "mms": True, "fax": False}
LISTS = {"twilio": "/IncomingPhoneNumbers.json", "telnyx": "/phone_numbers"}


@pytest.fixture(params=PROVIDERS)
def provider(request, sandbox):
    return request.param


def search(provider: str, **criteria):
    return driver_of(provider).search(SearchCriteria(**criteria))


def own(sandbox, provider: str, phone_number: str = "", **over):
    account = over.pop("account", ACCOUNTS[provider])
    number = phone_number or NUMBERS[provider]
    return sandbox.own(provider=provider, account=account, phone_number=number, **over)


# --- Searching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "begins", "facts"),
    [
        ({}, "+1415555", {"country": "US", "locality": "San Francisco", "region": "CA"}),
        ({"area_code": "212"}, "+1212555", {"locality": "New York", "region": "NY"}),
        ({"locality": "Chicago"}, "+1312555", {"locality": "Chicago", "region": "IL"}),
        ({"region": "FL"}, "+1305555", {"locality": "Miami", "region": "FL"}),
        ({"country_code": "CA"}, "+1416555", {"country": "CA", "locality": "Toronto"}),
        ({"country_code": "CA", "area_code": "604"}, "+1604555", {"locality": "Vancouver"}),
        ({"country_code": "GB", "locality": "Manchester"}, "+44161496", {"country": "GB"}),
        ({"country_code": "GB", "number_type": "mobile"}, "+44770090", {"number_type": "mobile"}),
        ({"number_type": "toll_free"}, "+18", {"number_type": "toll_free", "region": ""}),
        ({"area_code": "415", "region": "CA", "locality": "San Francisco"}, "+1415555", {}),
    ],
)
def test_a_search_finds_only_what_fits_every_criterion(provider, criteria, begins, facts):
    found = search(provider, limit=4, **criteria)

    assert len({number.phone_number for number in found}) == 4
    for number in found:
        assert number.phone_number.startswith(begins)
        assert {name: getattr(number, name) for name in facts} == facts


@pytest.mark.parametrize("digits", ["00", "505", "55555"])
def test_a_search_for_digits_finds_numbers_that_contain_them(provider, digits):
    digits = digits if provider == "telnyx" else digits.replace("555", "551")

    found = search(provider, contains=digits, limit=7)

    assert len(found) == 7
    assert all(digits in number.phone_number for number in found)


def test_a_search_for_a_whole_number_finds_exactly_that_number(provider):
    found = search(provider, contains=NUMBERS[provider])

    assert [number.phone_number for number in found] == [NUMBERS[provider]]


@pytest.mark.parametrize("limit", [1, 10, 50])
def test_a_search_ends_at_its_limit_and_is_one_request(provider, sandbox, limit):
    assert len(search(provider, limit=limit)) == limit
    assert len(sandbox.requests(method="GET", path_contains="vailable")) == 1


@pytest.mark.parametrize(
    "criteria",
    [
        {"area_code": "212", "region": "CA"},
        {"area_code": "415", "locality": "Chicago"},
        {"number_type": "toll_free", "locality": "Chicago"},
        {"contains": "9999999"},
    ],
)
def test_criteria_that_nothing_fits_find_nothing_and_are_never_widened(provider, sandbox, criteria):
    assert search(provider, **criteria) == []
    assert len(sandbox.requests()) == 1


def test_a_country_that_is_not_sold_is_refused_and_not_an_empty_list(provider):
    with pytest.raises(ProviderRefused) as caught:
        search(provider, country_code="JP")

    assert caught.value.status == {"twilio": 404, "telnyx": 422}[provider]


def test_a_search_tells_what_a_number_can_do(provider):
    (plain,) = search(provider, contains=NUMBERS[provider])
    (voice_only,) = search(provider, contains="+14155550040")

    assert plain.capabilities == NO_FAX
    assert voice_only.capabilities == VOICE_ONLY


@pytest.mark.parametrize(
    ("criteria", "monthly"),
    [
        ({}, {"twilio": "1.15", "telnyx": "1.00000"}),
        ({"number_type": "toll_free"}, {"twilio": "2.15", "telnyx": "1.50000"}),
        ({"country_code": "GB", "number_type": "mobile"}, {"twilio": "3.00", "telnyx": "3.00000"}),
    ],
)
def test_a_search_tells_prices_exactly(provider, criteria, monthly):
    (number,) = search(provider, limit=1, **criteria)

    assert number.price == Price(
        monthly=Decimal(monthly[provider]), setup=Decimal(0), currency="USD"
    )


def test_a_number_in_the_account_is_not_offered_but_found_there(provider, sandbox):
    owned = own(sandbox, provider)

    standing = driver_of(provider).inspect(NUMBERS[provider])

    assert standing.offer is None
    assert standing.owned.number_id == owned["id"]
    assert standing.owned.phone_number == NUMBERS[provider]


def test_a_number_of_somebody_else_is_neither_offered_nor_found(provider, sandbox):
    own(sandbox, provider, account="AC" + "b" * 32 if provider == "twilio" else "KEYother")

    assert driver_of(provider).inspect(NUMBERS[provider]) == Standing()


# --- Buying --------------------------------------------------------------------------------------


def test_a_purchase_is_one_post_and_ends_with_the_numbers_own_id(provider, sandbox):
    order = bought(provider)

    (owned,) = sandbox.owned()
    assert (owned["provider"], owned["account"]) == (provider, ACCOUNTS[provider])
    assert order.state == OrderState.COMPLETED
    assert order.number.number_id == owned["id"]
    assert order.number.phone_number == owned["phone_number"] == NUMBERS[provider]
    assert order.number.reference == TAG
    assert order.number.routing == ROUTING[provider]
    assert abs(order.created_at.timestamp() - time.time()) < 30
    assert len(orders_sent(sandbox)) == 1


def test_nothing_is_sent_when_it_may_not_be(provider, sandbox):
    with pytest.raises(ProviderRefused) as caught:
        order(provider, may_send=lambda: False)

    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    assert orders_sent(sandbox) == []
    assert sandbox.owned() == []


def test_leave_to_send_is_asked_right_before_the_post(provider, sandbox):
    asked = []

    order(provider, may_send=lambda: asked.append(len(orders_sent(sandbox))) or True)

    assert asked == [0]


@pytest.mark.parametrize("digits", ["0010", "0016", "0021", "0022", "0024", "0027"])
def test_a_purchase_whose_answer_says_nothing_definite_is_unknown_after_one_post(
    provider, sandbox, digits
):
    with pytest.raises(OutcomeUnknown):
        order(provider, f"+1415555{digits}")

    assert len(orders_sent(sandbox)) == 1


def test_a_provider_that_is_not_there_has_sold_nothing(provider, settings):
    nowhere = "http://127.0.0.1:9"
    settings.TWILIO_API_BASE_URL = settings.TELNYX_API_BASE_URL = nowhere

    with pytest.raises(ProviderUnreachable):
        driver_of(provider).search(SearchCriteria())
    with pytest.raises(ProviderUnreachable):
        order(provider, search=False)


def test_a_wrong_secret_is_refused_everywhere(provider, sandbox):
    wrong = driver_of(provider, secret=f"{SECRETS[provider]}-wrong")

    for ask in (
        lambda: wrong.search(SearchCriteria()),
        lambda: wrong.find_number(NUMBERS[provider]),
        lambda: wrong.look_for(reference=TAG, phone_number=NUMBERS[provider], order_id=""),
        lambda: wrong.release("PN" + "1" * 32),
    ):
        with pytest.raises(ProviderRefused) as caught:
            ask()
        assert (caught.value.code, caught.value.status) == ("invalid_credentials", 401)


# --- Looking -------------------------------------------------------------------------------------


def test_a_number_is_found_on_the_last_page_and_compared_as_a_whole(provider, sandbox):
    short = "+1415555"  # part of all the others
    for line in range(1000, 1100):
        own(sandbox, provider, f"+1415555{line}")
    assert driver_of(provider).find_number(short) is None
    owned = own(sandbox, provider, short)
    sandbox.clear_requests()

    found = driver_of(provider).find_number(short)

    assert (found.number_id, found.phone_number) == (owned["id"], short)
    assert sent(sandbox) == [("GET", LISTS[provider])] * 2


def test_a_page_that_cannot_be_read_leaves_it_open_whether_the_number_is_there(provider, sandbox):
    for line in range(1000, 1101):
        own(sandbox, provider, f"+1415555{line}")
    sandbox.add_fault(method="GET", path=LISTS[provider])  # the first page comes as it is
    sandbox.add_fault(method="GET", path=LISTS[provider], status=500)

    with pytest.raises(ProviderUnreachable):
        driver_of(provider).find_number("+1415555")

    assert len(sandbox.requests()) == 2


def test_the_numbers_of_other_accounts_are_not_found(provider, sandbox):
    own(sandbox, provider, account="AC" + "b" * 32 if provider == "twilio" else "KEYother")

    assert driver_of(provider).find_number(NUMBERS[provider]) is None


def look(provider: str, *, reference: str = TAG, order_id: str = "", number: str = ""):
    return driver_of(provider).look_for(
        reference=reference, phone_number=number or NUMBERS[provider], order_id=order_id
    )


def test_a_look_finds_what_was_bought_with_our_tag_and_changes_nothing(provider, sandbox):
    order = bought(provider)
    sandbox.clear_requests()

    for order_id in ("", order.order_id):
        seen = look(provider, order_id=order_id)

        assert seen.sighting == Sighting.FOUND
        assert (seen.order.state, seen.order.order_id) == (OrderState.COMPLETED, order.order_id)
        assert seen.order.number == seen.number == order.number
    assert {request.method for request in sandbox.requests()} == {"GET"}


def test_a_look_does_not_take_somebody_elses_purchase_for_ours(provider, sandbox):
    order = bought(provider, reference="another", routing=another_routing(provider))

    seen = look(provider)

    assert (seen.sighting, seen.order) == (Sighting.FOREIGN, None)
    assert seen.number.number_id == order.number.number_id


def another_routing(provider: str) -> Routing:
    if provider == "telnyx":
        return ROUTING[provider]
    return Routing(status_callback="https://burki.test/twilio-status?purchase=another")


def test_a_number_that_was_there_without_any_tag_is_not_ours(provider, sandbox):
    own(sandbox, provider)

    assert look(provider).sighting == Sighting.FOREIGN


def test_a_number_that_is_nowhere_is_absent(provider, sandbox):
    seen = look(provider)

    assert (seen.sighting, seen.order, seen.number) == (Sighting.ABSENT, None, None)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, ProviderRefused), (403, ProviderRefused), (429, ProviderRefused)]
    + [(status, ProviderUnreachable) for status in (408, 500, 503)],
)
def test_a_look_that_is_not_answered_proves_nothing(provider, sandbox, status, expected):
    sandbox.add_fault(method="GET", status=status)

    with pytest.raises(expected):
        look(provider)


# --- Afterwards ----------------------------------------------------------------------------------


def test_a_release_names_the_providers_own_id_and_the_number_is_gone(provider, sandbox):
    order = bought(provider)
    sandbox.clear_requests()

    driver_of(provider).release(order.number.number_id)

    path = {"twilio": "/IncomingPhoneNumbers/{}.json", "telnyx": "/phone_numbers/{}"}[provider]
    assert sent(sandbox) == [("DELETE", path.format(order.number.number_id))]
    assert sandbox.owned() == []


def test_the_release_of_an_unknown_id_says_404(provider, sandbox):
    own(sandbox, provider)

    with pytest.raises(ProviderRefused) as caught:
        driver_of(provider).release({"twilio": "PN" + "0" * 32, "telnyx": "1"}[provider])

    assert caught.value.status == 404
    assert len(sandbox.owned()) == 1


def still_owns(provider: str, number_id: str) -> bool:
    return driver_of(provider).still_owns(number_id, NUMBERS[provider])


def test_a_number_is_gone_when_its_id_is_unknown_and_no_list_has_it(provider, sandbox):
    number_id = own(sandbox, provider)["id"]
    assert still_owns(provider, number_id) is True
    driver_of(provider).release(number_id)

    assert still_owns(provider, number_id) is False
    own(sandbox, provider)  # bought again, by somebody: another id
    assert still_owns(provider, number_id) is False


def test_a_number_that_is_listed_is_not_gone_whatever_a_404_says(provider, sandbox):
    number_id = own(sandbox, provider)["id"]
    sandbox.add_fault(method="GET", path=number_id, status=404)

    assert still_owns(provider, number_id) is True


@pytest.mark.parametrize("status", [401, 429, 500])
def test_an_account_that_does_not_answer_has_not_lost_the_number(provider, sandbox, status):
    sandbox.add_fault(method="GET", path=LISTS[provider].replace(".", "[.]") + "$", status=status)

    with pytest.raises((ProviderRefused, ProviderUnreachable)):
        still_owns(provider, {"twilio": "PN" + "0" * 32, "telnyx": "1"}[provider])


@pytest.mark.parametrize("digits", ["0070", "0071"])
def test_a_release_without_a_usable_answer_is_unknown(provider, sandbox, digits):
    order = bought(provider, f"+1415555{digits}")
    sandbox.clear_requests()

    with pytest.raises(OutcomeUnknown):
        driver_of(provider).release(order.number.number_id)

    assert len(sandbox.requests(method="DELETE")) == 1
    assert len(sandbox.owned()) == {"0070": 0, "0071": 1}[digits]


def test_every_step_ends_with_the_deadline(provider, sandbox):
    sandbox.add_fault(method="GET", action="hang", times=None)
    began = time.monotonic()

    with pytest.raises(ProviderUnreachable):
        driver_of(provider, seconds=3).find_number(NUMBERS[provider])

    assert time.monotonic() - began < 5 * CLOCK_SCALE  # a look-up alone may take 6
