"""`/healthz` and `/readyz`: what a load balancer asks, so anybody may; cheap, and no secrets."""

from __future__ import annotations

import threading
import time
from typing import Final

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.doctor.checks import READINESS
from campaigns.doctor.examination import examine
from campaigns.doctor.findings import Level

_WITHIN_S: Final = 3.0
_KEPT_S: Final = 1.0
"""However often it is asked, the servers are looked at once a second."""


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process is alive, whatever else is not."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve: 503 with what is missing, where it can't."""
    missing = _readiness.missing()
    if missing:
        return JsonResponse({"status": "unavailable", "missing": missing}, status=503)
    return JsonResponse({"status": "ok"})


class _Readiness:
    """What was missing when it was last looked at; one look at a time."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._looked_at = float("-inf")
        self._missing: list[str] = []

    def missing(self) -> list[str]:
        """Return the names of what can't be used; looks again after a second."""
        with self._looking:
            if time.monotonic() - self._looked_at > _KEPT_S:
                examined = examine(READINESS, now=timezone.now(), within_s=_WITHIN_S)
                self._missing = [
                    one.check
                    for one in examined
                    if any(finding.level is Level.CRITICAL for finding in one.findings)
                ]
                self._looked_at = time.monotonic()
            return self._missing


_readiness = _Readiness()
