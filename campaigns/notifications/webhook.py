"""Notices to programs, signed by Standard Webhooks (standardwebhooks.com)."""

from __future__ import annotations

import base64
import json
import secrets as randomness
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from standardwebhooks import Webhook

from campaigns.notifications import egress
from campaigns.notifications.answers import Answer
from campaigns.notifications.models import Notice

_GONE: Final = 410
"""By the specification: whoever answers so wants nothing more."""


def new_secret() -> str:
    """Return a secret to sign with, as the specification writes them."""
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


def body_of(notice: Notice) -> str:
    """Return the message, the same at each try."""
    return json.dumps(
        {
            "type": notice.event,
            "timestamp": notice.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": notice.account,
        },
        ensure_ascii=False,
    )


def send_webhook(url: str, notice: Notice, *, secrets: Sequence[str], now: datetime) -> Answer:
    """Post the notice, signed by each of the secrets; anything but 2xx is a failure."""
    message_id, body = f"msg_{notice.uid.hex}", body_of(notice)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(message_id, now, body) for secret in secrets
        ),
    }
    try:
        reply = egress.post(
            url,
            headers=headers,
            body=body.encode(),
            private_hosts=settings.WEBHOOK_PRIVATE_HOSTS,
        )
    except (egress.UrlRefused, egress.Unanswered) as exc:
        return Answer(error=str(exc))
    return Answer(
        error="" if 200 <= reply.status_code < 300 else f"It answered {reply.status_code}.",
        status_code=reply.status_code,
        response=reply.body.decode(errors="replace"),
        is_gone=reply.status_code == _GONE,
    )
