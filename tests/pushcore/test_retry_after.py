from __future__ import annotations

import pytest

from pushcore.retry_after import parse_retry_after_s

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-5", 0.0),
        ("3601", 3_600.0),
        ("9" * 5_000, 3_600.0),
        ("-" + "9" * 5_000, 0.0),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:50:37 -0000", 60.0),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 3_600.0),
        ("", None),
        ("soon", None),
        ("1.5", None),
        ("²", None),
        ("--5", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_seconds_and_dates_are_read_and_bounded(header: str, seconds: float | None) -> None:
    assert parse_retry_after_s(header, now=NOW) == seconds
