"""`/metrics`: what Prometheus scrapes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns.audit import show_last_audit
from pushcore import metrics  # noqa: F401 -- declares what a process without any sends yet shows


class MetricsView(APIView):
    """All metrics in Prometheus's text formats, for whoever may see campaigns.

    `METRICS_OPEN` opens them to everybody.

    With `PROMETHEUS_MULTIPROC_DIR` those of all processes that share the folder, else this one's.
    """

    required_scopes: ClassVar[dict[str, str]] = {"get": "campaigns:read"}

    def get_permissions(self) -> Sequence[Any]:
        """Let in whom the setting says."""
        return [AllowAny()] if settings.METRICS_OPEN else super().get_permissions()

    def perform_content_negotiation(
        self,
        request: Request,
        force: bool = False,
    ) -> tuple[BaseRenderer, str]:
        """Take any Accept header: it is Prometheus's own that decides between its formats."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Answer a scrape."""
        with contextlib.suppress(DatabaseError):  # without the database the rest is worth knowing
            show_last_audit()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(_registry()), content_type=content_type)


def _registry() -> CollectorRegistry:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if not folder:
        return REGISTRY
    _forget_the_dead(Path(folder))
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_the_dead(folder: Path) -> None:
    """Drop the live gauges of processes that are gone: a killed one has nothing in flight."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # another user's, so alive
