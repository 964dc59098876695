import time

import pytest

from numbers.tests.driving import driver_of


@pytest.fixture(params=["/phone-numbers", "/api/v1/phone-numbers"])
def base(request) -> str:
    """The prefix of the phone-number routes: the specification's, and the SDK's."""
    return request.param


@pytest.fixture
def telnyx(sandbox):
    """A driver for one operation in the account of `burki.testing`."""
    return driver_of("telnyx")


@pytest.fixture
def no_time_passes(monkeypatch) -> None:
    """For the sandbox: what it does only later, it does not do."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)


@pytest.fixture
def open_page(site):
    """Opens a page of the module's `site` (`numbers.tests.browser`); at the end nothing was wrong
    with any."""
    with site.watching() as open_:
        yield open_
