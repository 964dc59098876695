"""Room for calls: the middleware with views that wait as long as a test wants, in real threads."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import get_resolver

from burki.room import RoomForCallsMiddleware, always_answered
from burki.testing import make_client, post
from numbers.webhooks.urls import urlpatterns as webhook_routes

PURCHASE = "/phone-numbers/purchase"


@pytest.fixture(autouse=True)
def two_at_once(settings):
    settings.REQUESTS_AT_ONCE = 2


class Site:
    """The middleware around a view, as Django calls them."""

    def __init__(self, view):
        self.view = view
        self.middleware = RoomForCallsMiddleware(self.answer)

    def answer(self, request):
        refused = self.middleware.process_view(request, self.view, (), {})
        return self.view(request) if refused is None else refused

    def get(self, path="/phone-numbers", **headers):
        return self.middleware(RequestFactory().get(path, **headers))


class Waiting:
    """A view that says when a request is inside, and keeps it until it may go."""

    def __init__(self):
        self.entered, self.may_go = threading.Semaphore(0), threading.Event()

    def __call__(self, request):
        self.entered.release()
        self.may_go.wait(30)
        return HttpResponse("done")


def test_one_too_many_is_refused_at_once_and_the_next_has_room_again():
    view = Waiting()
    site = Site(view)

    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(site.get) for _ in range(2)]
        for _ in waiting:
            assert view.entered.acquire(timeout=30)
        refused = site.get()
        view.may_go.set()
        answers = [future.result().content for future in waiting]

    assert answers == [b"done", b"done"]
    assert refused.status_code == 503
    assert refused["Retry-After"] == "5"
    assert json.loads(refused.content) == {
        "detail": "Too many requests are waiting here. Nothing was sent; try again.",
        "code": "unavailable",
    }
    assert site.get().content == b"done"


def test_who_is_always_answered_needs_no_room():
    view = Waiting()
    site, answers_calls = Site(view), always_answered(lambda request: HttpResponse("hello"))

    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(site.get) for _ in range(2)]
        for _ in waiting:
            assert view.entered.acquire(timeout=30)
        site.view = answers_calls
        call = site.get("/twiml")
        view.may_go.set()
        for future in waiting:
            future.result()

    assert call.content == b"hello"


@pytest.mark.django_db
def test_an_answer_that_is_streamed_takes_room_until_it_is_closed():
    site = Site(lambda request: StreamingHttpResponse(iter([b"a", b"b"])))

    first, second = site.get(), site.get()
    assert b"".join(first) == b"ab"
    assert site.get().status_code == 503
    first.close()
    second.close()  # nobody read it

    assert [site.get().status_code for _ in range(3)] == [200, 200, 503]


def test_a_view_that_fails_leaves_its_room():
    def fail(request):
        raise ZeroDivisionError

    site = Site(fail)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            site.get()


def test_a_person_gets_a_page(settings):
    settings.REQUESTS_AT_ONCE = 0
    refused = Site(lambda request: HttpResponse()).get("/numbers", headers={"Accept": "text/html"})

    assert refused.status_code == 503
    assert "nothing was bought or changed" in refused.content.decode()


def test_without_gunicorn_there_is_no_limit(settings):
    settings.REQUESTS_AT_ONCE = None
    site = Site(lambda request: StreamingHttpResponse(iter([])))

    assert {site.get().status_code for _ in range(100)} == {200}


@pytest.mark.django_db
def test_a_purchase_for_which_there_is_no_room_sends_nothing(organization, sandbox, settings):
    settings.REQUESTS_AT_ONCE = 0
    client = make_client(organization)

    refused = post(client, PURCHASE, {"provider": "twilio", "phone_number": "+14155551234"})

    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert refused.json() == {
        "detail": "Too many requests are waiting here. Nothing was sent; try again.",
        "code": "unavailable",
        "charged": False,
    }
    assert sandbox.requests() == []


def test_providers_supervisors_and_monitoring_are_always_answered():
    expected = {"healthz", "readyz", "metrics"} | {str(one.pattern) for one in webhook_routes}
    found = {
        str(one.pattern)
        for one in get_resolver().url_patterns
        if getattr(getattr(one, "callback", None), "always_answered", False)
    }

    assert found == expected
    assert len(webhook_routes) == 4
