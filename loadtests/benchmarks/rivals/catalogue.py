"""The rivals: what they are called, how they are driven, and how much they are given to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """What a rival is written in, and so which environment it needs."""

    PYTHON = "python"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One library, used in one way."""

    name: str
    language: Language
    package: str
    driver: str
    """Its module in `drivers`, or its file in `node` without the ending."""
    messages: int
    """For all processes together: some five seconds' work for two cores."""
    alone: int
    """For a single process: some three seconds' work."""
    troubled: int
    """Where a share of the answers is lost."""


SEND_EACH = Rival(
    name="firebase-admin send_each",
    language=Language.PYTHON,
    package="firebase-admin",
    driver="sdk_each",
    messages=9_000,
    alone=3_000,
    troubled=4_000,
)
FIREBASE_ADMIN_NODE = Rival(
    name="firebase-admin for Node",
    language=Language.NODE,
    package="firebase-admin",
    driver="firebase_admin",
    messages=60_000,
    alone=20_000,
    troubled=20_000,
)
FCM_V1_HTTP2 = Rival(
    name="fcm-v1-http2",
    language=Language.NODE,
    package="fcm-v1-http2",
    driver="fcm_v1_http2",
    messages=90_000,
    alone=30_000,
    troubled=20_000,
)
RIVALS = (
    SEND_EACH,
    Rival(
        name="firebase-admin send_each_async",
        language=Language.PYTHON,
        package="firebase-admin",
        driver="sdk_each_async",
        messages=7_000,
        alone=2_500,
        troubled=4_000,
    ),
    Rival(
        name="fcm-django",
        language=Language.PYTHON,
        package="fcm-django",
        driver="fcm_django_devices",
        messages=8_000,
        alone=3_000,
        troubled=4_000,
    ),
    Rival(
        name="django-push-notifications",
        language=Language.PYTHON,
        package="django-push-notifications",
        driver="push_notifications_devices",
        messages=8_000,
        alone=3_000,
        troubled=4_000,
    ),
    Rival(
        name="async-firebase",
        language=Language.PYTHON,
        package="async-firebase",
        driver="async_firebase_each",
        messages=6_000,
        alone=2_000,
        troubled=4_000,
    ),
    FIREBASE_ADMIN_NODE,
    Rival(
        name="@parse/push-adapter",
        language=Language.NODE,
        package="@parse/push-adapter",
        driver="parse_push_adapter",
        messages=50_000,
        alone=20_000,
        troubled=20_000,
    ),
    FCM_V1_HTTP2,
)


def rival_named(name: str) -> Rival:
    """Return the rival of that name. Raises KeyError for none."""
    return {rival.name: rival for rival in RIVALS}[name]
