"""Search, buy, assign and release a phone number with requests.

BURKI_URL=http://127.0.0.1:8000 BURKI_API_KEY=burki_… python buy_number.py telnyx 415 7
"""

import os
import sys
import time
import uuid

import requests

URL = os.environ["BURKI_URL"]
HEADERS = {"Authorization": f"Bearer {os.environ['BURKI_API_KEY']}"}
PATIENCE = 120  # seconds that we go on asking what became of a purchase


class Refused(Exception):
    """Nothing was bought. `code` is the machine's word for why, `detail` the sentence."""

    def __init__(self, answer):
        self.code, self.detail = answer.get("code"), answer["detail"]
        super().__init__(f"{self.detail} {answer.get('hint') or ''}".strip())


def post(path, body, **headers):
    return requests.post(URL + path, json=body, headers=HEADERS | headers, timeout=30)


def search(provider, area_code):
    answer = post("/phone-numbers/search", {"provider": provider, "area_code": area_code})
    if answer.status_code != 200:
        raise Refused(answer.json())
    return answer.json()["numbers"]


def purchase(number, provider, assistant_id=None, friendly_name=None):
    """Buy exactly this number, at most once; raises Refused when nothing was bought.

    One key for one purchase: however often the request is sent again, it is the same purchase.
    """
    key = str(uuid.uuid4())
    body = {"phone_number": number, "provider": provider}
    if assistant_id:
        body["assistant_id"] = assistant_id
    if friendly_name:
        body["friendly_name"] = friendly_name
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            answer = post("/phone-numbers/purchase", body, **{"Idempotency-Key": key})
        except (requests.Timeout, requests.ConnectionError):
            answer = None  # perhaps bought: ask again, with the same key
        if answer is not None and answer.status_code == 200:
            return answer.json()
        told = {} if answer is None else answer.json()
        # Being made, being confirmed, too many requests, or nothing could be tried just now.
        in_doubt = answer is None or answer.status_code in (429, 503, 504)
        if not in_doubt and told.get("code") != "purchase_in_progress":
            raise Refused(told)
        if time.monotonic() > ends:
            raise TimeoutError(told.get("status_url") or f"no answer about {number}")
        if told.get("retryable"):  # this attempt is over, nothing was charged: the next one
            key = str(uuid.uuid4())
        time.sleep(int(answer.headers.get("Retry-After", 2)) if answer is not None else 2)


def buy_one_of(numbers, provider, assistant_id):
    """The first of the numbers that is still for sale."""
    for found in numbers:
        try:
            return purchase(found["phone_number"], provider, assistant_id, "Support line")
        except Refused as refusal:
            if refusal.code != "number_unavailable":  # the next number would fare no better
                raise
            print(f"taken     {found['phone_number']}")
    raise SystemExit("None of the numbers is for sale any more: search again.")


def main(provider, area_code, assistant_id):
    numbers = search(provider, area_code)
    bought = buy_one_of(numbers, provider, int(assistant_id))
    number = bought["phone_number"]
    print(f"bought    {number} {bought['purchase_details'].get('status', 'completed')}")

    path = f"/api/v1/assistants/{assistant_id}/phone-numbers/assign-by-number"
    answer = post(path, {"phone_number": number})
    if answer.status_code != 200 or not answer.json()["success"]:
        raise SystemExit(answer.text)
    print(f"assigned  {number}")

    answer = post("/phone-numbers/release", {"phone_number": number})
    if answer.status_code != 200:
        raise SystemExit(answer.text)
    print(f"released  {number}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refused as refusal:
        raise SystemExit(f"refused   {refusal.code}: {refusal}") from None
