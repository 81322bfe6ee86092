"""Schedules fall due while what starts them is doubled or killed: each slot has one campaign."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from loadtests.crash import processes
from loadtests.crash.campaign import Audience, Campaign
from loadtests.crash.result import BATCH, Result, judged
from loadtests.crash.scenarios.parts import owner_of
from loadtests.crash.system import System
from loadtests.waiting import wait_until

SCHEDULES = 6
KILLS = 3
ZONES = ("", "Asia/Kolkata", "America/New_York")
"""Whose clocks show the time of a launch now, tomorrow and later today."""

_FALL_DUE = """
UPDATE schedules_schedule
   SET next_slot = date_trunc('minute', now()), due_at = date_trunc('minute', now())
 WHERE id = ANY(%s) AND started_runs = 0
"""
_STARTED = """
SELECT schedule_id, campaign_id FROM schedules_schedulerun
 WHERE schedule_id = ANY(%s) AND campaign_id IS NOT NULL ORDER BY schedule_id
"""
_CAMPAIGNS = "SELECT count(*) FROM campaigns_pushcampaign"
_WAITING = """
SELECT client_port FROM pg_stat_activity
 WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO "schedules_schedulerun"%%'
"""
_SCATTER = """
UPDATE devices_devicetoken SET timezone = (%s::text[])[1 + id %% cardinality(%s::text[])]
 WHERE user_id = %s
"""
# As if hours had passed: the moments come one after the other, two seconds apart.
_COME_SOON = """
UPDATE campaigns_deliverybatch AS batch
   SET retry_at = now() + moment.place * interval '2 s'
  FROM (SELECT retry_at, row_number() OVER (ORDER BY retry_at) AS place
          FROM campaigns_deliverybatch
         WHERE campaign_id = %s AND retry_at > now() + interval '1 hour' GROUP BY retry_at
       ) AS moment
 WHERE batch.campaign_id = %s AND batch.retry_at = moment.retry_at
"""


def fire_beside_two_beats(system: System) -> Result:
    """Two beats run, one is killed while schedules fall due, then both, and one comes back."""
    audiences = [system.audience(f"due-{number}", devices=300) for number in range(SCHEDULES)]
    before = system.database.value(_CAMPAIGNS)
    schedules = [_schedule(system, audience) for audience in audiences]
    second = processes.start_beat(system.children)
    half = SCHEDULES // 2
    system.database.rows(_FALL_DUE, schedules[:half])
    processes.kill(system.beat)
    _wait_until_started(system, schedules[:half])
    processes.kill(second)
    system.database.rows(_FALL_DUE, schedules[half:])
    system.restart_beat()
    return _judged_once(system, schedules, audiences, before=before)


def kill_while_firing(system: System) -> Result:
    """SIGKILL the process that starts a schedule's campaign, before it could commit that."""
    audience = system.audience("fired", devices=600)
    before = system.database.value(_CAMPAIGNS)
    with contextlib.closing(system.database.connect()) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE schedules_schedulerun IN SHARE MODE")
        schedule = _schedule(system, audience)
        system.database.rows(_FALL_DUE, [schedule])
        port = wait_until(
            lambda: system.database.value(_WAITING), within_s=30, what="a schedule is being fired"
        )
        processes.kill_process(owner_of(system, port))
        blocker.rollback()
    return _judged_once(system, [schedule], [audience], before=before)


def kill_in_local_time(system: System) -> Result:
    """SIGKILL processes while a campaign is sent at its devices' own times."""
    audience = system.audience("zones", devices=3 * 4 * BATCH)
    system.database.rows(_SCATTER, list(ZONES), list(ZONES), audience.user_id)
    campaign = system.launch(audience, local_time=True)
    campaign.wait_for_share(1 / len(ZONES), within_s=system.scale.end_within_s)
    waiting = campaign.batches("retry_at > now() + interval '1 hour'")
    system.database.rows(_COME_SOON, campaign.id, campaign.id)
    for _ in range(KILLS):
        wait_until(
            lambda: campaign.batches("state = 'sending'"), within_s=60, what="a zone is being sent"
        )
        processes.kill_process(system.pids[0])
    result = judged(system, campaign, repeats=KILLS * BATCH)
    result.demand(waiting > 0, "no batch waited for its own time")
    return result


def _schedule(system: System, audience: Audience) -> int:
    """Create a schedule that sends to the audience once."""
    draft = system.draft(audience)
    wanted = {
        "name": f"Crash test {draft.id}",
        "campaign": draft.id,
        "cron": "* * * * *",
        "max_runs": 1,
    }
    return int(system.api.post("schedules/", wanted)["id"])


def _wait_until_started(system: System, schedules: Sequence[int]) -> None:
    wait_until(
        lambda: len(system.database.rows(_STARTED, list(schedules))) >= len(schedules),
        within_s=90,
        what="every schedule has started its campaign",
    )


def _judged_once(
    system: System, schedules: Sequence[int], audiences: Sequence[Audience], *, before: int
) -> Result:
    """Judge that each schedule started one campaign, which lost and repeated nothing.

    `before` is how many campaigns there were before the schedules' drafts were made.
    """
    _wait_until_started(system, schedules)
    started = system.database.rows(_STARTED, list(schedules))
    campaigns = [
        Campaign(campaign_id, audience, system.api, system.database)
        for (_, campaign_id), audience in zip(started, audiences, strict=False)
    ]
    result = judged(system, *campaigns, repeats=0)
    # Looked at again when the campaigns have ended: by then everybody has looked more than once.
    made = system.database.value(_CAMPAIGNS) - before - len(schedules)
    fired = [schedule for schedule, _ in system.database.rows(_STARTED, list(schedules))]
    result.demand(fired == list(schedules), f"{fired} fired, not each of {schedules} once")
    result.demand(made == len(schedules), f"{made} campaigns made by {len(schedules)} schedules")
    return result
