from __future__ import annotations

import pytest

from loadtests.crash.campaign import Campaign
from loadtests.crash.result import judged
from loadtests.crash.scenarios import workers
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_nothing_is_lost_while_processes_are_killed(system: System) -> None:
    assert workers.kill_processes(system).violations == []


def test_nothing_is_lost_with_a_killed_worker(system: System) -> None:
    assert workers.kill_worker(system).violations == []


def test_nothing_is_lost_when_all_workers_are_killed(system: System) -> None:
    assert workers.kill_all_workers(system).violations == []


def test_a_worker_stopped_past_its_lease_changes_nothing(system: System) -> None:
    assert workers.stop_past_the_lease(system).violations == []


def test_a_rolling_deploy_loses_and_repeats_nothing(system: System) -> None:
    assert workers.rolling_deploy(system).violations == []


def test_campaigns_that_ended_too_soon_count_as_no_repeats_of_the_next(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, ended = workers._launch, list[Campaign]()

    def launch_too_fast_once(system: System, *, devices: int) -> list[Campaign]:
        campaigns = launch(system, devices=devices)
        if not ended:
            ended.extend(campaigns)
            for campaign in campaigns:
                campaign.wait_for_end(within_s=system.scale.end_within_s)
        return campaigns

    monkeypatch.setattr(workers, "_launch", launch_too_fast_once)
    campaigns = workers.launch_both(system)

    assert {one.id for one in campaigns}.isdisjoint(one.id for one in ended)
    assert judged(system, *campaigns, repeats=0).violations == []
