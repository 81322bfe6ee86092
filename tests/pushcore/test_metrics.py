from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from prometheus_client import REGISTRY

from pushcore import metrics
from pushcore.messages import Platform
from pushcore.outcomes import Outcome, Trouble, Verdict
from pushcore.report import Report
from pushcore.transports.base import Answer

ROOT = Path(__file__).parents[2]
ALLOWED_LABELS = {"project", "priority", "outcome", "limit", "scope", "trouble"}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_batch_is_counted_by_outcome_without_what_was_never_started(unique_key: str) -> None:
    report = Report.pending(attempts=[1, 1, 2, 2, 0], ambiguous=[False] * 5)
    report.outcomes[0] = int(Outcome.SUCCESS)
    report.outcomes[1] = int(Outcome.INVALID_TOKEN)
    report.outcomes[2] = int(Outcome.SUCCESS)
    report.retry_in_s[3] = 10.0
    report.waited_s["quota"] = 2.5
    quota = Verdict(Outcome.PENDING, "RATE_LIMIT_EXCEEDED", trouble=Trouble.PROJECT_QUOTA)
    report.hear(quota, platform=Platform.IOS, words="")
    device = Verdict(Outcome.PENDING, "QUOTA_EXCEEDED", trouble=Trouble.DEVICE_QUOTA)
    report.hear(device, platform=Platform.IOS, words="")
    report.note(Trouble.PROJECT, "Words.")
    report.time([None, Answer(200), Answer(200, seconds=0.25), Answer(503, seconds=0.5)])

    report.count(project=unique_key, priority="high", seconds=0.2)

    labels = {"project": unique_key, "priority": "high"}
    assert value("pushcore_sends_total", **labels, outcome="success") == 2
    assert value("pushcore_sends_total", **labels, outcome="invalid_token") == 1
    assert value("pushcore_sends_total", **labels, outcome="pending") == 1
    assert value("pushcore_retries_total", **labels) == 2
    assert value("pushcore_batch_seconds_count", **labels) == 1
    assert value("pushcore_pace_waited_seconds_total", **labels, limit="quota") == 2.5
    assert value("pushcore_quota_refusals_total", project=unique_key, scope="project") == 1
    assert value("pushcore_quota_refusals_total", project=unique_key, scope="device") == 1
    assert value("pushcore_request_seconds_count", project=unique_key) == 2
    assert value("pushcore_request_seconds_sum", project=unique_key) == 0.75
    assert value("pushcore_breaker_open", project=unique_key, trouble="project") == 1
    assert value("pushcore_breaker_open", project=unique_key, trouble="payload") == 0


def test_no_label_can_carry_a_campaign_or_an_address() -> None:
    declared = {
        label for metric in vars(metrics).values() for label in getattr(metric, "_labelnames", ())
    }

    assert declared == ALLOWED_LABELS


MULTIPROCESS = """
import os, json
from prometheus_client import CollectorRegistry, multiprocess
from pushcore.metrics import IN_FLIGHT, count_batch
for _ in range(2):
    if (child := os.fork()) == 0:
        count_batch(project="p", priority="low", counts={1: 3}, retried=0, seconds=1.0)
        os._exit(0)
    os.waitpid(child, 0)
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
labels = {"project": "p", "priority": "low", "outcome": "success"}
print(json.dumps(registry.get_sample_value("pushcore_sends_total", labels)))
"""


def test_forked_workers_are_summed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MULTIPROCESS],
        env={"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout) == 6.0
