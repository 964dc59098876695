"""A purchase through the REST API; `over` changes its body, or with HTTP_… its headers."""

from burki.testing import TWILIO_NUMBER, post


def buy(client, base, **over):
    headers = {name: over.pop(name) for name in list(over) if name.startswith("HTTP_")}
    body = {"phone_number": TWILIO_NUMBER, "provider": "twilio"} | over
    return post(client, f"{base}/purchase", body, **headers)
