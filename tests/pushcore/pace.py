"""A pace on a real server whose clock is moved by hand."""

from __future__ import annotations

import pytest
import redis

from pushcore.pacing import Pacer

START = 1_700_000_000.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pacer(redis_client: redis.Redis, unique_key: str, clock: Clock) -> Pacer:
    return Pacer(redis_client, project_key=unique_key, quota_per_minute=600_000, clock=clock)
