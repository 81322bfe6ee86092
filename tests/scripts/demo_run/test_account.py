from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from scripts.demo_run.account import Account, Receipts, faults

LOG = Counter({"success": 90, "invalid": 4, "failed": 3, "unknown": 2, "skipped": 1})
RECEIPTS = Receipts(log=LOG, unfounded=0, unlogged=0, accepted=91, accepted_twice=0)
ACCOUNT = Account(
    devices=100,
    total_recipients=100,
    success=90,
    failure=7,
    invalid=4,
    unknown=2,
    skipped=1,
    deactivated=4,
    accepted=91,
    accepted_twice=0,
    missing=0,
    elapsed_s=2.0,
    messages_per_s=50.0,
    peak_rss_mb=100.0,
)


def test_an_account_that_agrees_everywhere_is_exact() -> None:
    assert faults(ACCOUNT, RECEIPTS, outcomes={}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_recipients": 99, "devices": 100}, "99 planned of 100 devices"),
        ({"unknown": 1}, "99 outcomes for 100 planned"),
        ({"missing": 1}, "1 missing"),
        ({"accepted": 89}, "89 accepted for 90 successes"),
        ({"accepted": 93}, "93 accepted for 90 successes"),
        ({"deactivated": 5}, "5 deactivated for 4 dead"),
        ({"accepted_twice": 1}, "1 accepted twice"),
    ],
)
def test_each_disagreement_is_told(change: dict[str, int], said: str) -> None:
    assert said in faults(replace(ACCOUNT, **change), RECEIPTS, outcomes={})


def test_a_log_that_disagrees_with_the_counters_is_told() -> None:
    receipts = replace(RECEIPTS, log=LOG + Counter(failed=1))
    (said,) = faults(ACCOUNT, receipts, outcomes={})
    assert said.startswith("the log says {'success': 90,")


def test_a_receipt_of_a_device_called_refused_is_told() -> None:
    receipts = replace(RECEIPTS, unlogged=2)
    assert faults(ACCOUNT, receipts, outcomes={}) == ["2 accepted, but called refused"]


@pytest.mark.parametrize("outcome", ["accept_hang", "accept_reset.2", "slow.20000", "drop"])
def test_repeats_are_no_fault_where_nobody_can_know(outcome: str) -> None:
    account = replace(ACCOUNT, accepted_twice=3)
    assert faults(account, RECEIPTS, outcomes={outcome: 0.1}) == []


def test_the_json_has_the_promised_keys() -> None:
    assert list(ACCOUNT.as_json()) == [
        "devices",
        "total_recipients",
        "success",
        "failure",
        "invalid",
        "unknown",
        "skipped",
        "deactivated",
        "accepted",
        "accepted_twice",
        "missing",
        "elapsed_s",
        "messages_per_s",
        "peak_rss_mb",
    ]
