"""Search, buy and release a phone number with Burki's own Python package (pip install burki).

BURKI_URL=http://127.0.0.1:8000 BURKI_API_KEY=burki_… python buy_number_sdk.py telnyx 415 7

The package sends no Idempotency-Key. Sending the same request again is safe all the same: it is
answered with the purchase that the first one made, for as long as the number is yours.
"""

import os
import sys
import time

import httpx

from burki import BurkiClient
from burki.exceptions import BurkiError, RateLimitError

PATIENCE = 120  # seconds that we go on asking what became of a purchase


def purchase(client, number, provider, assistant_id):
    """Buy exactly this number, at most once; a BurkiError means that nothing was bought."""
    ends = time.monotonic() + PATIENCE
    while True:
        wait = 2
        try:
            return client.phone_numbers.purchase(
                phone_number=number,
                provider=provider,
                assistant_id=assistant_id,
                friendly_name="Support line",
            )
        except httpx.TransportError:
            if time.monotonic() > ends:
                raise
        except BurkiError as error:
            told = error.response_body or {}
            in_doubt = error.status_code in (429, 503, 504)
            if not in_doubt and told.get("code") != "purchase_in_progress":
                raise
            if time.monotonic() > ends:
                raise
            if isinstance(error, RateLimitError):
                wait = error.retry_after or wait
        time.sleep(wait)


def main(provider, area_code, assistant_id):
    client = BurkiClient(api_key=os.environ["BURKI_API_KEY"], base_url=os.environ["BURKI_URL"])
    found = client.phone_numbers.search(provider=provider, area_code=area_code)
    for offer in found.numbers:
        try:
            bought = purchase(client, offer.phone_number, provider, int(assistant_id))
            break
        except BurkiError as refusal:
            if (refusal.response_body or {}).get("code") != "number_unavailable":
                raise
            print(f"taken     {offer.phone_number}")
    else:
        raise SystemExit("None of the numbers is for sale any more: search again.")
    print(f"bought    {bought.phone_number} completed")

    assistant = client.assistants.get(int(assistant_id))
    assert bought.phone_number in assistant.phone_numbers, assistant.phone_numbers
    print(f"assigned  {bought.phone_number}")

    client.phone_numbers.release(bought.phone_number)
    print(f"released  {bought.phone_number}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BurkiError as error:
        code = (error.response_body or {}).get("code")
        raise SystemExit(f"refused   {code}: {error.message}") from None
