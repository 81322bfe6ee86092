"""The Retry-After header (RFC 9110 §10.2.3): seconds, or an HTTP date."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

MAX_RETRY_AFTER_S: Final = 3_600.0
"""A longer wait is cut to this: nothing of a campaign is worth more than an hour's silence."""
_SECONDS: Final = re.compile(r"-?[0-9]+")


def parse_retry_after_s(header: str, *, now: float) -> float | None:
    """Return the seconds to wait, from 0 to `MAX_RETRY_AFTER_S`; None where it says nothing.

    `now` is in seconds since the epoch. What lies in the past is 0.
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)  # endless digits make infinity, where int() would refuse them
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        # A date without a zone is in GMT, as all HTTP dates are.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = aware.timestamp() - now
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)
