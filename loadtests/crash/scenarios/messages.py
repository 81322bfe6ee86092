"""Celery's messages come twice, or never, or ask for what cannot be done."""

from __future__ import annotations

import contextlib

import redis

from loadtests.crash import processes
from loadtests.crash.broker import Copier, hint_rescue, lose_chords
from loadtests.crash.campaign import Campaign
from loadtests.crash.result import BATCH, SENDING_AGAIN_S, Result, judged
from loadtests.crash.scenarios.workers import launch_both, while_sending
from loadtests.crash.system import System
from loadtests.waiting import wait_until

POISON = "poison"
_POISON_PLAN = """
CREATE OR REPLACE FUNCTION refuse_plan() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'bad plan'; END $$;
CREATE OR REPLACE TRIGGER refuse_plan BEFORE INSERT ON campaigns_deliverybatch
    FOR EACH ROW WHEN (NEW.campaign_id = {campaign_id}) EXECUTE FUNCTION refuse_plan()
"""
_MEND_PLAN = "DROP TRIGGER refuse_plan ON campaigns_deliverybatch"


def deliver_twice(system: System) -> Result:
    """Every message is delivered twice; the ledger lets one of them win."""
    with (
        contextlib.closing(redis.Redis.from_url(system.redis.url)) as client,
        Copier(client) as copier,
    ):
        campaigns = launch_both(system)
        result = judged(system, *campaigns, repeats=0)
    batches = sum(campaign.batches("true") for campaign in campaigns)
    result.notes.append(f"{copier.copied} messages copied")
    result.demand(copier.copied >= batches, f"only {copier.copied} messages copied of {batches}")
    return result


def lose_the_callback(system: System) -> Result:
    """Throw chords away while their batches are sent, so that no callback ever runs.

    The audience is large enough for two waves: the rescue starts the second, and completes.
    """
    audience = system.audience("two-waves", devices=max(system.scale.devices, 12_000))
    campaign = system.launch(audience, rate_limit_per_second=None)
    thrown = 0
    with contextlib.closing(redis.Redis.from_url(system.redis.url)) as client:

        def has_ended() -> bool:
            nonlocal thrown
            thrown += lose_chords(client)
            return campaign.status == "completed"

        wait_until(has_ended, within_s=system.scale.end_within_s, what="the campaign completes")
    result = judged(system, campaign, repeats=0, pause_s=SENDING_AGAIN_S)
    result.notes.append(f"{thrown} keys of chords thrown away")
    result.demand(thrown > 0, "no chord was there to be thrown away")
    return result


def rescue_at_once(system: System) -> Result:
    """Many rescues run at once, while processes are killed that give them something to do."""
    campaigns = launch_both(system)
    killed = 0
    for _ in while_sending(system, campaigns):
        hint_rescue(system.broker_url, times=10)
        processes.kill_process(system.pids[0])
        killed += 1
        hint_rescue(system.broker_url, times=10)
    return judged(system, *campaigns, repeats=BATCH * killed, pause_s=SENDING_AGAIN_S)


def launch_poison(system: System) -> Campaign:
    """Start a campaign with one batch that makes our own code raise whenever it is sent.

    Its last device has a platform that the code does not know; the database's rule against that
    is taken away, as a migration gone wrong would.
    """
    audience = system.audience(POISON, devices=system.scale.troubled)
    system.database.rows(
        "ALTER TABLE devices_devicetoken DROP CONSTRAINT IF EXISTS device_platform_known"
    )
    system.database.rows(
        "UPDATE devices_devicetoken SET platform = 'toaster' WHERE id = "
        "(SELECT max(id) FROM devices_devicetoken WHERE user_id = %s)",
        audience.user_id,
    )
    return system.launch(audience)


def judge_poison(system: System, campaign: Campaign) -> Result:
    """Expect the poisoned batch to be set aside with its error, and all others to be sent."""
    result = judged(system, campaign, repeats=0)
    poisoned = campaign.audience.devices % BATCH or BATCH
    [account] = result.accounts
    result.demand(
        account.log["failed"] == poisoned,
        f"{account.log['failed']} set aside, not the batch of {poisoned}",
    )
    errors = campaign.database.rows(
        "SELECT DISTINCT error FROM campaigns_pushlog WHERE campaign_id = %s AND error <> ''",
        campaign.id,
    )
    result.demand(errors == [("ENGINE_ERROR",)], f"errors {errors}")
    return result


def launch_poisoned_plan(system: System) -> Campaign:
    """Start a campaign whose planning fails every time, as a bug in our own SQL would have it."""
    campaign = system.draft(system.audience("poisoned-plan", devices=BATCH))
    system.database.rows(_POISON_PLAN.format(campaign_id=campaign.id))
    campaign.launch()
    return campaign


def judge_poisoned_plan(system: System, campaign: Campaign) -> Result:
    """Expect it to pause with the error; mended and resumed, everybody is sent to."""
    wait_until(
        lambda: campaign.status == "paused",
        within_s=system.scale.end_within_s,
        what="the campaign that can't be planned pauses",
    )
    reason = system.account(campaign).reason
    system.database.rows(_MEND_PLAN)
    campaign.move("resume")
    result = judged(system, campaign, repeats=0)
    result.demand("bad plan" in reason, f"paused for the reason {reason!r}")
    return result


def poison_plan(system: System) -> Result:
    """Launch a campaign whose planning raises every time; it pauses, and is not tried for ever."""
    return judge_poisoned_plan(system, launch_poisoned_plan(system))


def poison(system: System) -> Result:
    """Send a batch that raises in our own code every time; its campaign ends all the same."""
    return judge_poison(system, launch_poison(system))
