"""Numbers as people type them: 1,000, 500k, 10M, 1B."""

from __future__ import annotations

import argparse
from collections.abc import Callable

FACTORS = {"k": 1_000, "M": 1_000_000, "B": 1_000_000_000}


def whole(text: str) -> int | None:
    """Return the number that is meant; None where it is none."""
    digits = text.strip().replace(",", "")
    factor = FACTORS.get(digits[-1:], 1)
    digits = digits[:-1] if factor > 1 else digits
    is_whole = digits.isascii() and digits.removeprefix("-").isdecimal()
    return int(digits) * factor if is_whole else None


def bounded(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds, for argparse."""

    def read(text: str) -> int:
        number = whole(text)
        if number is None:
            message = f"{text!r} is no whole number"
            raise argparse.ArgumentTypeError(message)
        if not least <= number <= most:
            message = f"{text} is not within {least:,} and {most:,}"
            raise argparse.ArgumentTypeError(message)
        return number

    return read


def within(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers within bounds, for argparse."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            message = f"{text!r} is no number"
            raise argparse.ArgumentTypeError(message) from None
        if not least <= number <= most:
            message = f"{text} is not within {least:,} and {most:,}"
            raise argparse.ArgumentTypeError(message)
        return number

    return read
