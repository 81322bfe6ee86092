from __future__ import annotations

import argparse

import pytest

from loadtests.numbers import bounded, whole, within


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("-5", -5),
        ("1,000", 1_000),
        ("50k", 50_000),
        ("10M", 10**7),
        ("1B", 10**9),
    ],
)
def test_numbers_are_read_as_people_type_them(text: str, number: int) -> None:
    assert whole(text) == number


@pytest.mark.parametrize("text", ["", "M", "--5", "1_000", "1.5M", "1kk", "1kM", "²", "0x10"])
def test_what_is_no_whole_number_is_none(text: str) -> None:
    assert whole(text) is None


@pytest.mark.parametrize(
    ("text", "said"), [("0", "0 is not within 1 and 2,000"), ("2001", "not within"), ("x", "'x'")]
)
def test_whole_numbers_out_of_bounds_are_refused(text: str, said: str) -> None:
    assert bounded(1, 2_000)("2k") == 2_000
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        bounded(1, 2_000)(text)


@pytest.mark.parametrize("text", ["-1", "60001", "nan", "inf", "soon"])
def test_numbers_out_of_bounds_are_refused(text: str) -> None:
    assert within(0, 60_000)("0.5") == 0.5
    with pytest.raises(argparse.ArgumentTypeError):
        within(0, 60_000)(text)
