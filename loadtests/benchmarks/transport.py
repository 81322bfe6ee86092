"""How fast a bare transport is: no broker, no database, only messages to the emulator over TLS.

`python -m loadtests.benchmarks.transport --messages 200000 --processes 2 --transport http2`
prints one JSON object; the emulator runs on the same machine, and its receipts are the check.
Rendering a message (about 1 µs) is part of what is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from typing import Literal

from loadtests.fcm_emulator.process import launch
from pushcore.messages import AddressKind, Content, Platform, Template
from pushcore.transports.base import OpenGate, Transport
from pushcore.transports.curl import CurlTransport
from pushcore.transports.http2 import Http2Transport
from pushcore.transports.sdk import SdkTransport
from scripts.demo_run.leaving import leave_in_order_when_told

Kind = Literal["http2", "curl", "sdk"]
TRANSPORTS: dict[Kind, type[Http2Transport | CurlTransport | SdkTransport]] = {
    "http2": Http2Transport,
    "curl": CurlTransport,
    "sdk": SdkTransport,
}
BATCH = 500


@dataclass(frozen=True, slots=True)
class Provider:
    """Where the messages go."""

    url: str
    ca_file: str
    access_token: str


@dataclass(frozen=True, slots=True)
class Share:
    """What one process did."""

    messages: int
    began_at: float
    """Monotonic seconds, the same clock for all processes of a machine."""
    ended_at: float
    cpu_s: float
    peak_rss_mb: float
    answers: dict[str, int]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run measured; `accepted` and `accepted_twice` are the emulator's word."""

    transport: str
    processes: int
    messages: int
    latency_ms: float
    elapsed_s: float
    messages_per_s: float
    cpu_us_per_message: float
    peak_rss_mb_per_process: float
    answers: dict[str, int]
    accepted: int
    accepted_twice: int


def measure(*, kind: Kind, messages: int, processes: int, latency_ms: float = 20.0) -> Measured:
    """Send `messages` by `processes` processes at once, each by a transport of its own."""
    with (
        tempfile.TemporaryDirectory() as tls,
        launch("--tls-dir", tls, "--latency-ms", str(latency_ms), "--quota", "0") as emulator,
    ):
        token = emulator.control.access_token()
        provider = Provider(emulator.url, str(emulator.ca_file), token)
        shares = _in_processes(provider, kind=kind, messages=messages, processes=processes)
        stats = emulator.control.stats()
    sent = sum(share.messages for share in shares)
    elapsed_s = max(share.ended_at for share in shares) - min(share.began_at for share in shares)
    return Measured(
        transport=kind,
        processes=processes,
        messages=sent,
        latency_ms=latency_ms,
        elapsed_s=round(elapsed_s, 3),
        messages_per_s=round(sent / elapsed_s),
        cpu_us_per_message=round(sum(share.cpu_s for share in shares) / sent * 1e6, 1),
        peak_rss_mb_per_process=max(share.peak_rss_mb for share in shares),
        answers=dict(sum((Counter(share.answers) for share in shares), Counter())),
        accepted=stats["accepted"],
        accepted_twice=stats["accepted_twice"],
    )


def _in_processes(provider: Provider, *, kind: Kind, messages: int, processes: int) -> list[Share]:
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes)
    results: multiprocessing.Queue[Share] = context.Queue()
    workers = [
        context.Process(
            target=_work,
            args=(provider, kind, range(first, messages, processes), ready, results),
            daemon=True,
        )
        for first in range(processes)
    ]
    for worker in workers:
        worker.start()
    shares = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return shares


def _work(
    provider: Provider,
    kind: Kind,
    devices: Sequence[int],
    ready: Barrier,
    results: multiprocessing.Queue[Share],
) -> None:
    content = Content(
        campaign_id=1, title="Good news", body="A message of the usual length, to be read at once."
    )
    template = Template(content, now=datetime.now(UTC))
    variant = template.variant_for(Platform.ANDROID, AddressKind.TOKEN)
    transport = _transport(provider, kind)
    answers: Counter[str] = Counter()
    ready.wait()
    cpu_before = _cpu_s()
    began_at = time.monotonic()
    for start in range(0, len(devices), BATCH):
        batch = devices[start : start + BATCH]
        # 150 characters, as registration tokens have.
        bodies = [variant.render(f"{device:0150d}", device) for device in batch]
        for answer in transport.send(bodies, gate=OpenGate()):
            assert answer is not None  # noqa: S101  for the type checker: the gate is open
            answers[answer.fault or str(answer.status)] += 1
    ended_at = time.monotonic()
    cpu_s = _cpu_s() - cpu_before
    transport.close()
    share = Share(len(devices), began_at, ended_at, cpu_s, _peak_rss_mb(), dict(answers))
    results.put(share)


def _transport(provider: Provider, kind: Kind) -> Transport:
    return TRANSPORTS[kind](
        endpoint=provider.url,
        project_id="demo",
        access_token=lambda: provider.access_token,
        ca_file=provider.ca_file,
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_rss_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)


def main() -> None:
    """Measure as the command line says; print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.benchmarks.transport")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--transport", choices=sorted(TRANSPORTS), default="http2")
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the emulated provider")
    arguments = parser.parse_args()
    leave_in_order_when_told()
    measured = measure(
        kind=arguments.transport,
        messages=arguments.messages,
        processes=arguments.processes,
        latency_ms=arguments.latency_ms,
    )
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main()
