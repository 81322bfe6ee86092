from __future__ import annotations

import getpass
from typing import Any
from uuid import uuid4

import pytest
from auditlog.models import LogEntry
from cryptography.fernet import Fernet
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from campaigns import services, transitions
from campaigns.access.keys import create_key, note_use, revoke_key, rotate_key
from campaigns.access.scopes import Scope
from campaigns.errors import IllegalMove
from campaigns.models import DeliveryBatch, PushCampaign
from campaigns.notifications.channels import create_channel
from campaigns.notifications.models import Channel, ChannelKind
from campaigns.schedules.models import Schedule
from campaigns.schedules.services import create_schedule, delete_schedule, pause_schedule
from campaigns.tasks import rescue_campaigns
from devices.models import FcmProject
from devices.segments.models import Segment
from pushcore.outcomes import Outcome
from tests.campaigns.access.cast import make_key, make_person, person, program
from tests.cast import NOW, make_campaign, planned, seconds_later, settle_all

pytestmark = pytest.mark.django_db


def entries(row: Any) -> list[LogEntry]:
    """Return what the trail says of the row, in order."""
    return list(LogEntry.objects.get_for_object(row).order_by("pk"))


def last_entry(row: Any) -> LogEntry:
    return entries(row)[-1]


def test_a_campaign_made_by_a_key_is_signed_with_it() -> None:
    owner = make_person("viewer")
    key, text = make_key("campaigns:write", owner=owner)
    body = {"title": "Sale", "message": "Half price.", "target_all": True}
    made = program(text).post("/api/campaigns/", body, format="json").json()
    [entry] = entries(PushCampaign(pk=made["id"]))
    assert (entry.action, entry.actor, entry.remote_addr) == (
        LogEntry.Action.CREATE,
        owner,
        "127.0.0.1",
    )
    assert entry.additional_data == {"via": "api key", "api_key": key.prefix}
    assert entry.changes["title"] == [None, "Sale"]
    assert entry.changes["target_all"] == [None, True]


def test_a_change_is_kept_as_it_was_before_and_after() -> None:
    campaign = make_campaign(title="Sale")
    person("editor").patch(f"/api/campaigns/{campaign.pk}/", {"title": "Sale!"}, format="json")
    entry = last_entry(campaign)
    assert (entry.actor, entry.changes) == (make_person("editor"), {"title": ["Sale", "Sale!"]})
    assert entry.additional_data == {"via": "request"}


def test_what_was_thrown_away_is_still_told_of() -> None:
    campaign = make_campaign(title="Sale")
    pk = campaign.pk
    assert person("editor").delete(f"/api/campaigns/{pk}/").status_code == 204
    entry = last_entry(PushCampaign(pk=pk))
    assert (entry.action, entry.changes["title"]) == (LogEntry.Action.DELETE, ["Sale", None])


def test_a_move_is_kept_with_the_status_that_it_came_from() -> None:
    campaign = make_campaign(status="scheduled", scheduled_at=seconds_later(60), title="Sale")
    person("sender").post(f"/api/campaigns/{campaign.pk}/cancel/")
    entry = last_entry(campaign)
    assert entry.actor == make_person("sender")
    assert entry.object_repr == f"campaign {campaign.pk}: Sale"
    assert entry.changes["status"] == ["scheduled", "cancelled"]
    assert entry.changes["status_reason"] == ["", "cancelled by hand"]


def test_a_pace_is_kept_as_it_was_before_and_after() -> None:
    campaign = make_campaign(rate_limit_per_second=10)
    services.set_rate_limit(campaign_id=campaign.pk, rate_limit_per_second=20)
    assert last_entry(campaign).changes == {"rate_limit_per_second": [10, 20]}
    count = len(entries(campaign))
    services.set_rate_limit(campaign_id=campaign.pk, rate_limit_per_second=20)
    assert len(entries(campaign)) == count


def test_what_was_refused_leaves_no_entry() -> None:
    campaign = make_campaign()
    count = LogEntry.objects.count()
    with pytest.raises(IllegalMove):
        services.pause_campaign(campaign_id=campaign.pk)
    assert LogEntry.objects.count() == count


def test_a_move_that_is_rolled_back_leaves_no_entry() -> None:
    campaign = make_campaign(target_all=False)  # for nobody: refused after the move
    count = LogEntry.objects.count()
    with pytest.raises(Exception, match="Say whom it is for"):
        services.start_campaign(campaign_id=campaign.pk, task_id=uuid4(), now=NOW)
    assert LogEntry.objects.count() == count


def test_what_a_command_does_is_signed_with_the_account_on_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", "campaign", "cancel", "7"])
    campaign = make_campaign()
    services.cancel_campaign(campaign_id=campaign.pk, now=NOW)
    entry = last_entry(campaign)
    assert entry.actor is None
    assert entry.additional_data == {
        "via": "command",
        "command": "campaign",
        "os_user": getpass.getuser(),
    }


def test_what_the_engine_does_is_signed_with_its_task() -> None:
    campaign, [batch] = planned(1)
    settle_all(batch, Outcome.SUCCESS)
    rescue_campaigns.apply()
    entry = last_entry(campaign)
    assert entry.changes["status"] == ["processing", "completed"]
    assert entry.additional_data == {"via": "task", "task": "campaigns.rescue"}


def test_neither_planning_nor_sending_leaves_entries() -> None:
    campaign, batches = planned(3)
    count = LogEntry.objects.count()
    for batch in batches:
        settle_all(batch, Outcome.SUCCESS)
    assert LogEntry.objects.count() == count
    assert not LogEntry.objects.get_for_model(DeliveryBatch).exists()
    assert transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    assert last_entry(campaign).changes["status"] == ["processing", "completed"]


def test_to_ask_whether_a_campaign_has_ended_costs_one_query() -> None:
    campaign, _ = planned(3)
    with CaptureQueriesContext(connection) as queries:
        assert not transitions.complete_if_settled(campaign_id=campaign.pk, now=NOW)
    assert [one["sql"][:6] for one in queries if "SAVEPOINT" not in one["sql"]] == ["SELECT"]


def test_a_hundred_thousand_user_ids_are_kept_as_a_digest() -> None:
    campaign = make_campaign(
        target_all=False, target_user_ids=[f"user-{number}" for number in range(100_000)]
    )
    [entry] = entries(campaign)
    kept = entry.changes["target_user_ids"][1]
    assert len(kept) < 400
    assert kept.startswith('["user-0"')
    assert "characters, SHA-256 " in kept


def test_the_life_of_a_key_is_told_without_its_secret() -> None:
    key, text = create_key(name="shop", scopes=[Scope.ADMIN], owner=make_person(), now=NOW)
    note_use(key, now=NOW)
    rotate_key(key_id=key.pk, now=NOW)
    revoke_key(key_id=key.pk, now=NOW)
    made, rotated, revoked = entries(key)
    assert made.changes["scopes"] == [None, ["admin"]]
    assert list(rotated.changes) == ["expires_at"]
    assert list(revoked.changes) == ["revoked_at"]
    kept = str(LogEntry.objects.values_list())
    assert text.partition(".")[2] not in kept
    assert key.hashed_key not in kept


def test_of_credentials_and_passwords_it_is_told_only_that_they_changed() -> None:
    project = FcmProject.objects.create(project_id="shop-app", credentials="env:FIRST_SECRET")
    project.credentials = "env:SECOND_SECRET"
    project.quota_per_minute = 100
    project.save()
    assert last_entry(project).changes == {
        "credentials": ["(hidden)", "(hidden)"],
        "quota_per_minute": [600_000, 100],
    }
    user = User.objects.create_user("ann", password="first password")
    user.set_password("second password")
    user.save()
    assert last_entry(user).changes == {"password": ["(hidden)", "(hidden)"]}
    kept = str(LogEntry.objects.values_list())
    assert "SECRET" not in kept
    assert user.password not in kept


def test_what_is_done_to_a_schedule_is_told_and_not_when_it_falls_due() -> None:
    schedule = create_schedule(
        user=make_person("sender"),
        now=NOW,
        name="Weekly",
        campaign_id=make_campaign().pk,
        cron="0 9 * * 1",
    )
    Schedule.objects.update(waits_because="busy")
    pause_schedule(schedule_id=schedule.pk)
    pause_schedule(schedule_id=schedule.pk)
    delete_schedule(schedule_id=schedule.pk)
    made, paused, deleted = entries(Schedule(pk=schedule.pk))
    assert made.changes["cron"] == [None, "0 9 * * 1"]
    assert "due_at" not in made.changes
    assert paused.changes == {"is_paused": [False, True]}
    assert deleted.action == LogEntry.Action.DELETE


def test_what_is_done_to_a_segment_is_told() -> None:
    rules = {"field": "platform", "op": "eq", "value": "ios"}
    client = person("editor")
    body = {"name": "iPhones", "kind": "dynamic", "rules": rules}
    made = client.post("/api/segments/", body, format="json").json()
    client.patch(f"/api/segments/{made['id']}/", {"name": "Apple"}, format="json")
    first, second = entries(Segment(pk=made["id"]))
    assert first.changes["rules"] == [None, made["rules"]]
    assert (second.changes, second.actor) == ({"name": ["iPhones", "Apple"]}, make_person("editor"))


def test_of_a_channels_target_it_is_told_only_that_it_changed(settings: Settings) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    channel, secret = create_channel(
        name="hook",
        kind=ChannelKind.WEBHOOK,
        events=["campaign.failed"],
        target="https://example.com/a-secret-path",
        user=None,
        now=NOW,
    )
    Channel.objects.update(failing_since=NOW)
    [made] = entries(channel)
    assert made.changes["sealed_url"] == ["(hidden)", "(hidden)"]
    kept = str(LogEntry.objects.values_list())
    assert "a-secret-path" not in kept
    assert secret not in kept


def test_who_was_given_a_role_is_told() -> None:
    user = User.objects.create_user("ann")
    user.groups.add(Group.objects.get(name="sender"))
    assert last_entry(user).changes["groups"] == {
        "type": "m2m",
        "operation": "add",
        "objects": ["sender"],
    }


def test_an_address_that_the_caller_made_up_is_not_believed() -> None:
    campaign = make_campaign()
    person("sender").post(
        f"/api/campaigns/{campaign.pk}/cancel/", headers={"X-Forwarded-For": "203.0.113.7"}
    )
    assert last_entry(campaign).remote_addr == "127.0.0.1"
