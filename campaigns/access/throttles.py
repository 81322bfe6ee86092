"""How much one caller may ask of the API in a minute, counted in units.

A request costs one unit, and one more for each 16 KiB of its body. A view may name the cost of an
action itself, in `throttle_costs`: what makes the server work for longer than its request shows.
Each key, person, and address without either has a budget of its own, which all processes share in
Redis; it holds what a minute gives, and refills evenly.

Where Redis cannot be asked everybody is let in: a person who wants to stop a campaign must get
through just then. What is sent is held back by the quota, which then grants nothing.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from campaigns.access.models import ApiKey

if TYPE_CHECKING:  # DRF imports this module from the one that APIView is in.
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

BYTES_OF_A_UNIT: Final = 16 << 10
_TIMEOUT_S: Final = 0.25
_ASKED_AGAIN_AFTER_S: Final = 5.0
"""A server that does not answer is not waited for by every request."""


class BudgetThrottle(BaseThrottle):
    """Refuses whoever has spent the minute's units, and says when there are enough again."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Take the request's cost from its caller's budget.

        Raises:
            Throttled: there is not enough left.
        """
        units = settings.API_UNITS_PER_MINUTE
        if not units:
            return True
        cost = min(_cost(request, view), units)
        wait_s = budgets_in(settings.REDIS_URL).take(self._caller(request), cost=cost, units=units)
        if wait_s > 0:
            words = f"Of {units} units a minute too few are left for this call, which costs {cost}."
            raise Throttled(wait_s, words)
        return True

    def _caller(self, request: Request) -> str:
        if isinstance(request.auth, ApiKey):
            return f"key:{request.auth.pk}"
        if request.user.is_authenticated:
            return f"user:{request.user.pk}"
        return f"address:{self.get_ident(request)}"


def _cost(request: Request, view: APIView) -> int:
    action = getattr(view, "action", None) or str(request.method).lower()
    named: Mapping[str, int] = getattr(view, "throttle_costs", {})
    if action in named:
        return named[action]
    return 1 + int(request.META.get("CONTENT_LENGTH") or 0) // BYTES_OF_A_UNIT


class Budgets:
    """Everybody's budgets, in one Redis.

    Args:
        client: of the Redis; it must not wait for long.
    """

    def __init__(self, client: redis.Redis) -> None:
        script = Path(__file__).with_name("budget.lua").read_text()
        self._take = client.register_script(script)
        self._away_until = 0.0

    def take(self, caller: str, *, cost: int, units: int) -> float:
        """Take `cost` units; return 0, or in how many seconds there will be enough.

        `units` are what a minute gives, and the most that is ever saved up.
        """
        if time.monotonic() < self._away_until:
            return 0
        try:
            wait_ms = self._take(keys=[f"pushcore:budget:{caller}"], args=[cost, units])
        except redis.RedisError as error:
            self._away_until = time.monotonic() + _ASKED_AGAIN_AFTER_S
            logger.warning("Redis can't be asked, so no caller is held back: %s", error)
            return 0
        return int(wait_ms) / 1_000


@functools.cache
def budgets_in(url: str) -> Budgets:
    """Return everybody's budgets in the Redis at this address; one client a process."""
    # One retry at once is for a connection that was closed while nobody used it.
    client = redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    return Budgets(client)
