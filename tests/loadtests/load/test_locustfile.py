from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHARES = """
import loadtests.locustfile as scenario
print(*(scenario._SHARES[scenario.SHAPE](passed / 4) for passed in range(4)))
"""


@pytest.mark.parametrize(
    ("shape", "shares"),
    [
        ("steady", [1.0, 1.0, 1.0, 1.0]),
        ("morning", [0.1, 0.55, 1.0, 0.55]),
        ("breaking", [0.1, 0.1, 1.0, 1.0]),
    ],
)
def test_a_day_has_its_shape(shape: str, shares: list[float]) -> None:
    # In a process of its own: Locust's import patches the standard library.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SHARES],
        env=os.environ | {"LOAD_API_KEY": "unused", "LOAD_SHAPE": shape},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [round(float(share), 2) for share in done.stdout.split()] == shares
