"""Every method of `client.phone_numbers` and `client.assistants` of Burki's own package, called
against the live server that BURKI_URL names. Run with `python -I`, so that `burki` is the package
and not this project. Prints what each method returned, by its name, as JSON.

Started by test_sdk.py, which also prepares the numbers and keys that the environment names.
"""

import asyncio
import inspect
import json
import os
import sys

from burki import BurkiClient
from burki.exceptions import BurkiError

PROVIDER = os.environ["PROVIDER"]


class Recorder:
    """A resource whose methods are called by their plain names, in one of the two ways, and whose
    results are remembered."""

    def __init__(self, name, resource, asynchronous, loop):
        self.name, self.resource, self.asynchronous, self.loop = name, resource, asynchronous, loop
        self.seen = {}

    def __getattr__(self, method):
        def call(*args, **kwargs):
            if self.asynchronous:
                made = getattr(self.resource, f"{method}_async")(*args, **kwargs)
                result = self.loop.run_until_complete(made)
            else:
                result = getattr(self.resource, method)(*args, **kwargs)
            self.seen[method] = type(result).__name__
            return result

        return call

    def missing(self):
        methods = {
            name.removesuffix("_async")
            for name, _ in inspect.getmembers(self.resource, inspect.ismethod)
            if not name.startswith("_")
        }
        return sorted(methods - set(self.seen))


def walk(asynchronous, number, caller_id):
    client = BurkiClient(api_key=os.environ["BURKI_API_KEY"], base_url=os.environ["BURKI_URL"])
    loop = asyncio.new_event_loop()
    people = Recorder("assistants", client.assistants, asynchronous, loop)
    numbers = Recorder("phone_numbers", client.phone_numbers, asynchronous, loop)

    made = people.create(
        name="Walker",
        description="Takes calls",
        llm_settings={"temperature": 0.25, "system_prompt": "Be brief."},
        sms_webhook_url="https://customer.example.com/sms",
    )
    assert made.llm_settings.temperature == 0.25
    assert people.get(made.id).llm_settings.system_prompt == "Be brief."
    assert made.id in [assistant.id for assistant in people.list()]
    changed = people.update(made.id, description="Takes many calls", llm_settings={"top_p": 0.5})
    assert changed.description == "Takes many calls"
    assert (changed.llm_settings.temperature, changed.llm_settings.top_p) == (0.25, 0.5)
    assert people.update_status(made.id, is_active=False).is_active is False
    assert people.update_status(made.id, is_active=True).is_active is True
    assert people.get_count() >= 1
    assert people.get_providers()
    assert people.get_organization_info()["organization_name"] == "Acme"
    assert people.get_cloned_voices() == []
    people.export(format="json")  # a table it could not parse

    countries = numbers.get_countries(provider=PROVIDER)
    assert "US" in [country["code"] for country in countries.country_codes]
    found = numbers.search(provider=PROVIDER, area_code="415")
    assert found.total_found == len(found.numbers) > 0
    assert found.numbers[0].monthly_cost > 0
    bought = numbers.purchase(
        phone_number=number, provider=PROVIDER, friendly_name="Walk", assistant_id=made.id
    )
    assert bought.phone_number == number and bought.success
    assert people.get_by_phone(number).id == made.id
    assert people.get(made.id).phone_numbers == [number]
    assert numbers.diagnose(number)["success"] is True
    read = numbers.get_webhooks(number, provider=PROVIDER)
    assert read.voice_webhook_url
    assert numbers.update_webhooks(number, disable_sms=True)["success"] is True
    assert numbers.update_webhooks(number, enable_sms=True)["success"] is True
    assert numbers.sync_verified_caller_ids()["success"] is True
    assert numbers.add_verified_caller_id(caller_id, friendly_name="Desk")["success"] is True
    assert numbers.release(number).phone_number == number
    assert people.delete(made.id) is True
    return {recorder.name: recorder.seen | {"missing": recorder.missing()}
            for recorder in (people, numbers)}  # fmt: skip


def errors():
    """The class of the exception that each kind of mistake raises."""
    url = os.environ["BURKI_URL"]

    def client(name):
        return BurkiClient(api_key=os.environ[name], base_url=url).phone_numbers

    full, rude, eager = client("BURKI_API_KEY"), client("READ_ONLY_KEY"), client("EAGER_KEY")
    wrong = BurkiClient(api_key="burki_" + "0" * 32, base_url=url).phone_numbers
    number, refused = os.environ["FREE_NUMBER"], os.environ["REFUSED_NUMBER"]
    taken = os.environ["OWNED_NUMBER"]
    poor = client("POOR_KEY")
    mistakes = {
        "401": lambda: wrong.search(provider=PROVIDER),
        "404": lambda: full.purchase(number, PROVIDER, assistant_id=987654321),
        "404 number": lambda: full.release("+14155550000"),
        "400": lambda: full.search(provider="vonage"),
        "400 number": lambda: full.purchase("4155551234", PROVIDER),
        "402": lambda: poor.purchase(number, PROVIDER),
        "403": lambda: rude.purchase(number, PROVIDER),
        "409": lambda: full.purchase(taken, PROVIDER, friendly_name="Another name"),
        "500": lambda: full.purchase(refused, PROVIDER),
        "504": lambda: full.purchase(os.environ["LOST_NUMBER"], PROVIDER),
        "429": lambda: [eager.search(provider=PROVIDER) for _ in range(200)],
    }
    seen = {}
    for name, mistake in mistakes.items():
        try:
            mistake()
        except BurkiError as error:
            seen[name] = [type(error).__name__, error.status_code, error.message]
            if name == "429":
                seen[name][2] = error.retry_after
    return seen


if __name__ == "__main__":
    way, *arguments = sys.argv[1:]
    told = errors() if way == "errors" else walk(way == "async", *arguments)
    sys.stdout.write(json.dumps(told))
