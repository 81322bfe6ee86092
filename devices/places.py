"""What a country, a language and a time zone are called.

Countries are ISO 3166-1's two-letter codes, with XK for Kosovo as CLDR has it. Languages are tags
of BCP 47 (RFC 5646) in the part that devices report: language, script, region. Time zones are
the names of the IANA database.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from zoneinfo import available_timezones

_CODES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_CODES.split())
_LANGUAGE: Final = re.compile(
    r"(?P<language>[a-z]{2,3})"
    r"(?:[-_](?P<script>[a-z]{4}))?"
    r"(?:[-_](?P<region>[a-z]{2}|[0-9]{3}))?",
    re.ASCII | re.IGNORECASE,
)


def country_code(text: str) -> str | None:
    """Return the country's code in capitals, None where there is no such country."""
    code = text.upper()
    return code if code in COUNTRIES else None


def language_tag(text: str) -> str | None:
    """Return the tag as BCP 47 writes it (`pt-BR` for Android's `pt_br`), None for no tag."""
    match = _LANGUAGE.fullmatch(text)
    if match is None:
        return None
    parts = [match["language"].lower()]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        parts.append(match["region"].upper())
    return "-".join(parts)


def is_timezone(name: str) -> bool:
    """Tell whether the IANA database knows this name, to the letter."""
    return name in timezones()


@cache
def timezones() -> frozenset[str]:
    """Return the names that the IANA database knows."""
    return frozenset(available_timezones())
