"""The engine of this process: one line to the provider for each FCM project.

Lines are made when first needed, so after a worker's fork, and live as long as the process: their
connections and access tokens serve batch after batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from devices.models import FcmProject
from pushcore.credentials import AccessTokens, load_service_account, version_of
from pushcore.pacing import Pacer
from pushcore.retry import RetryPolicy
from pushcore.sender import Sender
from pushcore.transports.base import Transport
from pushcore.transports.curl import CurlTransport
from pushcore.transports.http2 import Http2Transport

TRANSPORTS: Final[Mapping[str, type[Http2Transport | CurlTransport]]] = {
    "http2": Http2Transport,
    "curl": CurlTransport,
}


@dataclass(frozen=True)
class Line:
    """What this process sends with to one FCM project."""

    transport: Transport
    tokens: AccessTokens
    pacer: Pacer
    sender: Sender


def line_of(project: FcmProject) -> Line:
    """Return this process's line to the project.

    A change of its quota, its credentials or the file they stand in is in force at once.

    Raises:
        CredentialsError: its credentials can't be read.
    """
    version = version_of(project.credentials)
    line = _line(project.project_id, project.credentials, version)
    line.pacer.quota_per_minute = project.quota_per_minute
    return line


def pacer_of(project: FcmProject) -> Pacer:
    """Return the project's shared pace, to look at: no credentials are needed for that."""
    pacer = _pacer(project.project_id)
    pacer.quota_per_minute = project.quota_per_minute
    return pacer


@lru_cache(maxsize=64)
def _line(project_id: str, credentials: str, _version: int) -> Line:
    account = load_service_account(credentials, fernet_keys=settings.FERNET_KEYS)
    tokens = AccessTokens(account, ca_file=settings.FCM_CA_FILE)
    transport = TRANSPORTS[settings.FCM_TRANSPORT](
        endpoint=settings.FCM_ENDPOINT,
        project_id=project_id,
        access_token=tokens.current,
        ca_file=settings.FCM_CA_FILE,
        connections=settings.FCM_CONNECTIONS,
        in_flight=settings.FCM_IN_FLIGHT,
        timeout_s=settings.FCM_TIMEOUT_S,
    )
    pacer = _pacer(project_id)
    policy = RetryPolicy(
        max_attempts=settings.RETRY_MAX_ATTEMPTS, max_age_s=settings.RETRY_MAX_AGE_S
    )
    sender = Sender(
        transport=transport,
        tokens=tokens,
        pacer=pacer,
        policy=policy,
        mismatch_share=settings.MISMATCH_SHARE,
        mismatch_minimum=settings.MISMATCH_MINIMUM,
    )
    return Line(transport, tokens, pacer, sender)


def _pacer(project_id: str) -> Pacer:
    return _pacer_over(_redis(), project_id)


@lru_cache(maxsize=256)
def _pacer_over(client: redis.Redis, project_id: str) -> Pacer:
    return Pacer(
        client,
        project_key=project_id,
        quota_per_minute=0,
        normal_share=settings.QUOTA_SHARE_NORMAL,
        low_share=settings.QUOTA_SHARE_LOW,
        ramp_s=settings.QUOTA_RAMP_S,
    )


@lru_cache(maxsize=1)
def _redis() -> redis.Redis:
    # Short and without the client's own waits between retries: the sending loop stands still
    # meanwhile. One retry at once is for a connection that was closed while nobody used it.
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=1,
        socket_connect_timeout=1,
        retry=Retry(NoBackoff(), 1),
    )
