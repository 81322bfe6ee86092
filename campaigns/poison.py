"""A bound for what our own code can't do: tried again for ever, it would never be noticed.

A batch that fails in our hands is set aside (`campaigns.sending`). Here it is about what goes
before and after: planning, dispatching, going on after a wave.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import kombu.exceptions
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError
from redis import RedisError

from campaigns import transitions

logger = logging.getLogger(__name__)

_NOT_OURS = (
    OperationalError,
    InterfaceError,
    kombu.exceptions.OperationalError,
    RedisError,
    SoftTimeLimitExceeded,
)
"""A server is away, or time was short: that passes, and the rescue tries again until then."""


@contextlib.contextmanager
def bounded(*, campaign_id: int) -> Iterator[None]:
    """Count what fails within the block, and pause the campaign when it never gets any further.

    The failure itself goes on to whoever called.
    """
    try:
        yield
    except _NOT_OURS:
        raise
    except Exception as failure:
        words = f"{type(failure).__name__}: {failure}".rstrip(": ")
        if transitions.pause_if_stuck(campaign_id=campaign_id, failure=words):
            logger.error("Campaign %s is paused, as our own code keeps failing.", campaign_id)
        raise
