from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError

from campaigns import planner, services
from campaigns.audiences import audience_problems
from campaigns.errors import FieldsRefused
from campaigns.models import DeliveryBatch, Lane, PushCampaign
from campaigns.states import CampaignStatus
from devices import audience
from devices.models import DeviceToken
from devices.segments.errors import InUse
from devices.segments.lists import delete_list
from devices.segments.memberships import evaluate, request_membership
from devices.segments.models import Membership
from devices.segments.services import change_segment, delete_segment
from tests.cast import NOW, TASK_ID, make_campaign, make_devices, make_project, seconds_later
from tests.devices.segments.cast import make_list, make_segment

pytestmark = pytest.mark.django_db
WEB = {"field": "platform", "op": "eq", "value": "web"}
IOS = {"field": "platform", "op": "eq", "value": "ios"}
LATELY = {"field": "last_seen_at", "op": "within_last", "value": "1d"}


def launch(**fields: Any) -> PushCampaign:
    campaign = make_campaign(**{"target_all": False} | fields)
    return services.start_campaign(campaign_id=campaign.pk, task_id=TASK_ID, now=NOW)


def plan(campaign: PushCampaign, *, slices: int = 99) -> list[int]:
    """Plan on as a worker would that knows nothing; return whom the ledger has, in its order."""
    campaign = PushCampaign.objects.get(pk=campaign.pk)
    for lane in Lane.objects.filter(campaign=campaign):
        for _ in range(slices):
            planner.plan_next_slice(campaign=campaign, lane_id=lane.pk, now=seconds_later(86_400))
    batches = DeliveryBatch.objects.filter(campaign=campaign).order_by("project_id", "seq")
    return [device_id for batch in batches for device_id in batch.device_ids]


def ids(*groups: list[DeviceToken]) -> list[int]:
    return sorted(device.pk for group in groups for device in group)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three ids at a time."""
    monkeypatch.setattr(audience, "WINDOW", 3)


def test_a_segment_is_planned_window_by_window(small_windows: None) -> None:
    project, other = make_project(), make_project()
    first = make_devices(project, 2, platform="web")
    make_devices(project, 5)
    make_devices(other, 20)
    last = make_devices(project, 4, platform="web")
    campaign = launch(segment=make_segment(WEB))
    assert plan(campaign) == ids(first, last)
    campaign.refresh_from_db()
    assert campaign.total_recipients == 6
    assert not Lane.objects.filter(campaign=campaign, planned_at=None).exists()


def test_a_plan_by_rules_goes_on_where_it_was_interrupted(small_windows: None) -> None:
    devices = make_devices(make_project(), 10, platform="web")
    campaign = launch(segment=make_segment(WEB))
    begun = plan(campaign, slices=3)
    assert 0 < len(begun) < 10
    assert begun == ids(devices)[: len(begun)]
    assert plan(campaign) == ids(devices)


def test_what_is_between_is_passed_over_in_one_step(small_windows: None) -> None:
    project = make_project()
    [first] = make_devices(project, 1, platform="web")
    far = DeviceToken.objects.create(
        id=first.pk + 10**9, project=project, user_id="far", address="far", platform="web"
    )
    assert plan(launch(segment=make_segment(WEB)), slices=3) == ids([first, far])


def test_rules_are_applied_at_the_moment_of_the_launch() -> None:
    project = make_project()
    lately = make_devices(project, 1, last_seen_at=NOW - timedelta(hours=23))
    make_devices(project, 1, last_seen_at=NOW - timedelta(hours=25))
    # Planned a day later, as `plan` does.
    assert plan(launch(segment=make_segment(LATELY))) == ids(lately)


def test_a_change_of_the_segment_leaves_what_was_launched_alone(small_windows: None) -> None:
    devices = make_devices(make_project(), 8, platform="web")
    segment = make_segment(WEB)
    campaign = launch(segment=segment)
    plan(campaign, slices=2)
    change_segment(segment_id=segment.pk, now=NOW, rules=IOS)
    assert plan(campaign) == ids(devices)


def test_a_static_segment_is_whom_it_had_and_a_refresh_is_for_later_campaigns(
    small_windows: None,
) -> None:
    project = make_project()
    devices = make_devices(project, 7, platform="web")
    segment = make_segment(WEB, kind="static")
    later = make_devices(project, 1, platform="web")
    DeviceToken.objects.filter(pk=devices[0].pk).update(platform="ios")
    campaign = launch(segment=segment)
    plan(campaign, slices=1)
    membership = request_membership(segment_id=segment.pk, now=NOW)
    evaluate(membership_id=membership.pk, clock=lambda: NOW)
    assert Membership.objects.count() == 2  # the campaign is still planned by the first
    assert plan(campaign) == ids(devices)
    assert plan(launch(segment=segment)) == ids(devices[1:], later)


def test_inactive_members_are_not_planned() -> None:
    devices = make_devices(make_project(), 3, platform="web")
    segment = make_segment(WEB, kind="static")
    DeviceToken.objects.filter(pk=devices[1].pk).update(is_active=False, inactive_reason="stale")
    assert plan(launch(segment=segment)) == [devices[0].pk, devices[2].pk]


def test_a_list_reaches_all_devices_of_its_users(small_windows: None) -> None:
    project = make_project()
    ann = make_devices(project, 4, user_id="ann")
    make_devices(project, 4, user_id="bob")
    assert plan(launch(user_list=make_list({"ann", "nobody"}))) == ids(ann)


@pytest.mark.parametrize("kind", ["dynamic", "static"])
def test_what_is_excluded_is_left_out_of_any_audience(small_windows: None, kind: str) -> None:
    project = make_project()
    ann = make_devices(project, 2, user_id="ann")
    make_devices(project, 2, user_id="ann", platform="web")
    bob = make_devices(project, 2, user_id="bob")
    exclusion = {"exclude_segment": make_segment(WEB, kind=kind)}
    assert plan(launch(target_all=True, **exclusion)) == ids(ann, bob)
    assert plan(launch(target_user_ids=["ann"], **exclusion)) == ids(ann)
    both = exclusion | {"exclude_user_list": make_list({"bob"})}
    assert plan(launch(segment=make_segment({"not": IOS}), **both)) == ids(ann)


@pytest.mark.parametrize("fields", [{"target_all": True}, {"target_user_ids": ["ann"]}])
def test_a_campaign_has_one_audience(fields: dict[str, Any]) -> None:
    user_list = make_list({"ann"})
    campaign = PushCampaign(title="a", message="b", user_list=user_list, **fields)
    assert [problem.field for problem in audience_problems(campaign)] == ["user_list"]
    with pytest.raises(IntegrityError, match="campaign_one_audience"):
        campaign.save()


def test_an_exclusion_alone_is_no_audience() -> None:
    with pytest.raises(FieldsRefused, match="Say whom it is for"):
        launch(exclude_segment=make_segment(WEB))
    assert PushCampaign.objects.get().status == CampaignStatus.DRAFT


def test_what_is_not_ready_keeps_a_campaign_from_its_launch() -> None:
    segment = make_segment(WEB, kind="static")
    Membership.objects.all().delete()
    with pytest.raises(FieldsRefused, match=r"segment: .* has not been evaluated yet"):
        launch(segment=segment)
    unread = make_list({"ann"})
    type(unread).objects.update(status="running", finished_at=None)
    with pytest.raises(FieldsRefused, match=r"exclude_user_list: .* has not been read in"):
        launch(target_all=True, exclude_user_list=unread)
    assert set(PushCampaign.objects.values_list("status", flat=True)) == {CampaignStatus.DRAFT}
    assert not Lane.objects.exists()


@pytest.mark.parametrize("kind", ["dynamic", "static"])
@pytest.mark.parametrize("field", ["segment", "exclude_segment"])
def test_a_segment_stays_as_long_as_an_unfinished_campaign_needs_it(field: str, kind: str) -> None:
    make_devices(make_project(), 1)
    segment = make_segment(WEB, kind=kind)
    campaign = make_campaign(target_all=field != "segment", **{field: segment})
    with pytest.raises(InUse, match=f"campaign {campaign.pk}"):
        delete_segment(segment_id=segment.pk)
    PushCampaign.objects.update(status="completed")
    delete_segment(segment_id=segment.pk)
    campaign.refresh_from_db()
    assert getattr(campaign, field) is None


def test_a_running_campaign_needs_lists_by_its_rules_alone() -> None:
    make_devices(make_project(), 1)
    user_list = make_list({"ann"})
    segment = make_segment({"field": "user_id", "op": "in_list", "value": user_list.pk})
    with pytest.raises(InUse, match="segment 'segment"):
        delete_list(list_id=user_list.pk)
    campaign = launch(segment=segment)
    change_segment(segment_id=segment.pk, now=NOW, rules=WEB)
    with pytest.raises(InUse, match=f"is used by campaign {campaign.pk}"):
        delete_list(list_id=user_list.pk)
    PushCampaign.objects.update(status="cancelled")
    delete_list(list_id=user_list.pk)
    assert not type(user_list).objects.exists()


def test_running_by_a_dynamic_segment_does_not_keep_it() -> None:
    """Its rules stand in the campaign."""
    segment = make_segment(WEB)
    campaign = launch(segment=segment)
    delete_segment(segment_id=segment.pk)
    campaign.refresh_from_db()
    assert (campaign.segment, campaign.fixed_rules) == (None, {"all": [WEB]})
