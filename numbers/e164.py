"""Phone numbers in E.164: what we accept, and what a number tells about its place."""

import re

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

# ASCII digits, no trimming. `phonenumbers.is_valid_number` is too strict: 555 numbers must pass.
E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def is_e164(value: object) -> bool:
    return isinstance(value, str) and E164.fullmatch(value) is not None


def country_of(phone_number: str) -> str:
    """ISO 3166 code of the number's country, `""` when nobody can tell.

    Countries that share a calling code (US, Canada, the Caribbean) are told apart by area code,
    also for fictitious numbers such as +1 416 555 0100.
    """
    try:
        parsed = phonenumbers.parse(phone_number)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_number(parsed)
    if region is None and parsed.country_code == 1:
        likely = phonenumbers.parse(f"+1{str(parsed.national_number)[:3]}2345678")
        region = phonenumbers.region_code_for_number(likely) or "US"
    if region is None:
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return region if region and len(region) == 2 and region.isalpha() else ""


def number_type_of(phone_number: str) -> str:
    """`local`, `toll_free` or `mobile`, as searches and price lists call them."""
    try:
        kind = phonenumbers.number_type(phonenumbers.parse(phone_number))
    except phonenumbers.NumberParseException:
        return "local"
    if phone_number.startswith("+1") and kind == PhoneNumberType.UNKNOWN:
        kind = phonenumbers.number_type(phonenumbers.parse(f"{phone_number[:5]}2345678"))
    return {
        PhoneNumberType.TOLL_FREE: "toll_free",
        PhoneNumberType.MOBILE: "mobile",
    }.get(kind, "local")


def national_digits(phone_number: str) -> str:
    """The digits of the number without its country code."""
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone_number))
    except phonenumbers.NumberParseException:
        return phone_number.lstrip("+")


def without_country_code(beginning: str, country: str) -> str | None:
    """The beginning of a number, such as +1415, as it is dialled within `country`: 415. None when
    no number of that country begins so."""
    digits = beginning.lstrip("+")
    code = str(phonenumbers.country_code_for_region(country))
    short = min(len(digits), len(code))
    if digits[:short] != code[:short]:
        return None
    return digits[len(code) :]


def area_code_of(phone_number: str) -> str:
    """The number's area code, such as 415; `""` where numbers have none."""
    try:
        parsed = phonenumbers.parse(phone_number)
    except phonenumbers.NumberParseException:
        return ""
    digits = national_digits(phone_number)
    if parsed.country_code == 1:
        return digits[:3]
    return digits[: phonenumbers.length_of_geographical_area_code(parsed)]


def display(phone_number: str) -> str:
    """The number as people read it, such as +1 415-555-1234."""
    try:
        parsed = phonenumbers.parse(phone_number)
    except phonenumbers.NumberParseException:
        return phone_number
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
