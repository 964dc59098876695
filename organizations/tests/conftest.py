import pytest

from organizations.tests.customers import Customer


@pytest.fixture
def customer(settings):
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    server = Customer()
    yield server
    server.shutdown()
    server.server_close()
