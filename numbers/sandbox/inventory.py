"""The numbers that are for sale: the same ones every time, computed, never stored.

US and Canada: `+1{area}555{line}`. Twilio and Telnyx sell different lines of every exchange, so
their searches never offer the same number. The numbers of a scenario are offered to a search that
asks for their last four digits; a complete number is offered to a search that names it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import asin, cos, radians, sin, sqrt

from .scenarios import SCENARIOS, Price, scenario_of

TWILIO_LINES = range(1000, 5000)
TELNYX_LINES = range(5000, 9000)

_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")


@dataclass(frozen=True, slots=True)
class Place:
    """Where local numbers begin with `prefix`; the last four digits follow it."""

    country: str
    prefix: str
    area: str
    locality: str
    region: str
    postal_code: str
    lata: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Country:
    """`lengths` count the digits of a complete number; `heads` tell mobile and toll free."""

    name: str
    dial: str
    lengths: frozenset[int]
    mobile: str
    toll_free: tuple[str, ...]
    heads: tuple[tuple[str, str], ...]


_TOLL_FREE_AREAS = ("800", "888", "877", "866", "855", "844", "833", "822")
_TOLL_FREE_HEADS = tuple((f"+1{area}", "toll_free") for area in _TOLL_FREE_AREAS)
_TOLL_FREE = ("+1800555", "+1888555", "+1877555")
_NANP = frozenset({11})

COUNTRIES = {
    "US": Country("United States", "1", _NANP, "", _TOLL_FREE, _TOLL_FREE_HEADS),
    "CA": Country("Canada", "1", _NANP, "", _TOLL_FREE, _TOLL_FREE_HEADS),
    "GB": Country(
        "United Kingdom",
        "44",
        frozenset({12}),
        "+44770090",
        ("+44808157",),
        (("+447", "mobile"), ("+44800", "toll_free"), ("+44808", "toll_free")),
    ),
    "AU": Country(
        "Australia",
        "61",
        frozenset({11, 12}),
        "+6149157",
        ("+61180097",),
        (("+614", "mobile"), ("+611800", "toll_free")),
    ),
    "DE": Country(
        "Germany",
        "49",
        frozenset({12, 13}),
        "+491522881",
        ("+49800555",),
        (("+491", "mobile"), ("+49800", "toll_free")),
    ),
    "FR": Country(
        "France",
        "33",
        frozenset({11}),
        "+3363998",
        ("+3380055",),
        (("+336", "mobile"), ("+337", "mobile"), ("+3380", "toll_free")),
    ),
}


def _nanp(country: str, area: str, *rest: str | float) -> Place:
    return Place(country, f"+1{area}555", area, *rest)  # type: ignore[arg-type]


# The first place of a country is where a search without a place looks.
PLACES = (
    _nanp("US", "415", "San Francisco", "CA", "94103", "722", 37.77, -122.42),
    _nanp("US", "212", "New York", "NY", "10001", "132", 40.71, -74.01),
    _nanp("US", "312", "Chicago", "IL", "60601", "358", 41.88, -87.63),
    _nanp("US", "206", "Seattle", "WA", "98101", "674", 47.61, -122.33),
    _nanp("US", "512", "Austin", "TX", "78701", "558", 30.27, -97.74),
    _nanp("US", "305", "Miami", "FL", "33101", "460", 25.76, -80.19),
    _nanp("US", "310", "Los Angeles", "CA", "90024", "730", 34.05, -118.24),
    _nanp("US", "617", "Boston", "MA", "02108", "128", 42.36, -71.06),
    _nanp("US", "303", "Denver", "CO", "80202", "656", 39.74, -104.99),
    _nanp("US", "404", "Atlanta", "GA", "30303", "438", 33.75, -84.39),
    _nanp("US", "202", "Washington", "DC", "20001", "236", 38.91, -77.04),
    _nanp("US", "702", "Las Vegas", "NV", "89101", "721", 36.17, -115.14),
    _nanp("US", "602", "Phoenix", "AZ", "85003", "666", 33.45, -112.07),
    _nanp("CA", "416", "Toronto", "ON", "M5H 2N2", "888", 43.65, -79.38),
    _nanp("CA", "604", "Vancouver", "BC", "V6B 1A1", "888", 49.28, -123.12),
    _nanp("CA", "514", "Montreal", "QC", "H2Y 1C6", "888", 45.50, -73.57),
    _nanp("CA", "403", "Calgary", "AB", "T2P 1J9", "888", 51.05, -114.07),
    Place("GB", "+44207946", "20", "London", "England", "SW1A 1AA", "", 51.51, -0.13),
    Place("GB", "+44161496", "161", "Manchester", "England", "M1 1AE", "", 53.48, -2.24),
    Place("AU", "+6125550", "2", "Sydney", "NSW", "2000", "", -33.87, 151.21),
    Place("AU", "+6135550", "3", "Melbourne", "VIC", "3000", "", -37.81, 144.96),
    Place("DE", "+49302312", "30", "Berlin", "BE", "10115", "", 52.52, 13.41),
    Place("FR", "+3319900", "1", "Paris", "IDF", "75001", "", 48.86, 2.35),
)
_BY_AREA = {place.area: place for place in PLACES if place.prefix.startswith("+1")}

_MONTHLY = {"local": "1.00000", "toll_free": "1.50000", "mobile": "3.00000"}
TWILIO_PRICES = {"local": "1.15", "toll_free": "2.15", "mobile": "3.00"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One search. `kind` "" means any; `pattern` is searched in the number with its +.

    `digits` are the literal digits of that pattern.
    """

    country: str
    kind: str
    lines: range
    area: str = ""
    locality: str = ""
    region: str = ""
    rate_center: str = ""
    postal_code: str = ""
    lata: str = ""
    near: tuple[float, float, float] | None = None
    features: frozenset[str] = frozenset()
    pattern: str = ""
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A number for sale, and where it is (None: nowhere in particular)."""

    phone_number: str
    kind: str
    place: Place | None


def kinds_of(country: str) -> list[str]:
    """The types of numbers that a country sells; empty when it sells none."""
    known = COUNTRIES.get(country)
    if known is None:
        return []
    return ["local", "toll_free", "mobile"] if known.mobile else ["local", "toll_free"]


def search(
    wanted: Wanted, taken: Callable[[str], bool], *, limit: int, skip: int = 0
) -> list[Found]:
    """Numbers for sale that fit, in a fixed order, without those that are `taken`."""
    matches = re.compile(wanted.pattern).search if wanted.pattern else None
    fitting = (
        found
        for found in _candidates(wanted)
        if (matches is None or matches(found.phone_number))
        and not taken(found.phone_number)
        and scenario_of(found.phone_number).offered
        and wanted.features <= features_of(found.phone_number)
    )
    return list(islice(fitting, skip, skip + limit))


def country_of(phone_number: str) -> str:
    """The ISO code of the country, "XX" for one that nobody sells here."""
    if phone_number.startswith("+1"):
        place = _BY_AREA.get(phone_number[2:5])
        return place.country if place else "US"
    for code, country in COUNTRIES.items():
        if phone_number.startswith(f"+{country.dial}"):
            return code
    return "XX"


def kind_of(phone_number: str) -> str:
    """local, toll_free or mobile."""
    country = COUNTRIES.get(country_of(phone_number))
    for head, kind in country.heads if country else ():
        if phone_number.startswith(head):
            return kind
    return "local"


def features_of(phone_number: str) -> frozenset[str]:
    """What the number can do: voice, and mostly sms and mms; never fax."""
    voice_only = not scenario_of(phone_number).sms or (
        phone_number.startswith("+44") and kind_of(phone_number) == "local"
    )
    return frozenset({"voice"} if voice_only else {"voice", "sms", "mms"})


def telnyx_price(phone_number: str) -> Price:
    upfront = "1.00000" if phone_number.endswith("77") else "0.00000"
    usual = Price(monthly=_MONTHLY[kind_of(phone_number)], upfront=upfront)
    return scenario_of(phone_number).price or usual


def place_of(phone_number: str) -> Place | None:
    """Where a local number is; unknown American areas are in a place called Springfield."""
    if kind_of(phone_number) != "local":
        return None
    if phone_number.startswith("+1"):
        return _BY_AREA.get(phone_number[2:5]) or _springfield("US", phone_number[2:5])
    return next((place for place in PLACES if phone_number.startswith(place.prefix)), None)


def literal(pattern: str) -> str:
    """The digits of a search pattern, letters as on a telephone's keypad."""
    return re.sub(r"[^0-9]", "", pattern.upper().translate(_KEYPAD))


def _candidates(wanted: Wanted) -> Iterator[Found]:
    complete = _complete(wanted)
    if complete:
        kind = kind_of(complete)
        place = place_of(complete)
        if wanted.kind in ("", kind) and (place is None or _fits(place, wanted)):
            yield Found(complete, kind, place)
        return
    kind = wanted.kind or "local"
    sources = list(_sources(wanted, kind))
    if len(wanted.digits) >= 4 and wanted.digits[-4:] in SCENARIOS:
        for prefix, place in sources:
            yield Found(f"{prefix}{wanted.digits[-4:]}", kind, place)
    for line in wanted.lines:
        for prefix, place in sources:
            yield Found(f"{prefix}{line}", kind, place)


def _complete(wanted: Wanted) -> str:
    """The one number that the search names, "" when it names none of this country."""
    country = COUNTRIES[wanted.country]
    digits = wanted.digits
    if len(digits) < 10:
        return ""
    if not (len(digits) in country.lengths and digits.startswith(country.dial)):
        digits = country.dial + digits
    if len(digits) not in country.lengths:
        return ""
    # Several countries share +1: an area that is known to be another's is not offered.
    place = _BY_AREA.get(digits[1:4]) if country.dial == "1" else None
    return "" if place and place.country != wanted.country else f"+{digits}"


def _sources(wanted: Wanted, kind: str) -> Iterator[tuple[str, Place | None]]:
    """The prefixes to which lines are appended."""
    country = COUNTRIES[wanted.country]
    if kind != "local":
        named = wanted.locality or wanted.region or wanted.rate_center or wanted.postal_code
        prefixes = country.toll_free if kind == "toll_free" else (country.mobile,)
        for prefix in prefixes if not (named or wanted.lata or wanted.near) else ():
            if not wanted.area or prefix.startswith(f"+{country.dial}{wanted.area}"):
                yield prefix, None
        return
    in_pattern = re.search(r"\\\+1([2-9][0-9]{2})", wanted.pattern)
    area = wanted.area or (in_pattern[1] if in_pattern and country.dial == "1" else "")
    places = [place for place in PLACES if place.country == wanted.country]
    if area and not re.fullmatch(r"[2-9][0-9]{2}" if country.dial == "1" else r"[0-9]+", area):
        return
    if area:
        known = country.dial != "1" or area in _BY_AREA or area in _TOLL_FREE_AREAS
        places = [place for place in places if place.area == area]
        places = places if known else [_springfield(wanted.country, area)]
    fitting = [place for place in places if _fits(place, wanted)]
    anywhere = not (area or wanted.digits or wanted.near) and len(fitting) == len(places)
    for place in fitting[:1] if anywhere else fitting:
        yield place.prefix, place


def _fits(place: Place, wanted: Wanted) -> bool:
    pairs = (
        (wanted.area, place.area),
        (wanted.locality, place.locality),
        (wanted.region, place.region),
        (wanted.rate_center, place.locality),
        (wanted.postal_code, place.postal_code),
        (wanted.lata, place.lata),
    )
    if any(asked and asked.casefold() != real.casefold() for asked, real in pairs):
        return False
    if wanted.near is None:
        return True
    latitude, longitude, miles = wanted.near
    return _miles(latitude, longitude, place.latitude, place.longitude) <= miles


def _springfield(country: str, area: str) -> Place:
    return _nanp(country, area, "Springfield", "MO", "65801", "522", 37.21, -93.29)


def _miles(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    lat1, lon1, lat2, lon2 = map(radians, (lat1, lon1, lat2, lon2))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 7917.5 * asin(sqrt(half))
