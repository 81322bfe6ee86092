from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app

from devices import audience
from devices.audience import Audience, ByRules
from devices.models import DeviceToken
from devices.segments import memberships
from devices.segments.compiling import IdRange
from devices.segments.errors import NotStatic
from devices.segments.memberships import evaluate, request_membership, resume_evaluations
from devices.segments.models import MemberChunk, Membership, Segment
from devices.segments.rules import parse_fixed_rules
from tests.cast import NOW, make_devices, make_project, seconds_later
from tests.devices.segments.cast import make_segment

pytestmark = pytest.mark.django_db
WEB = {"field": "platform", "op": "eq", "value": "web"}
LATELY = {"field": "last_seen_at", "op": "within_last", "value": "1d"}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 3 ids, chunks of 2 devices."""
    monkeypatch.setattr(memberships, "WINDOW", 3)
    monkeypatch.setattr(audience, "WINDOW", 3)
    monkeypatch.setattr(memberships, "CHUNK", 2)


def members(membership: Membership) -> list[int]:
    chunks = MemberChunk.objects.filter(membership=membership).order_by("first_id")
    for one in chunks:
        assert (one.first_id, one.last_id) == (min(one.device_ids), max(one.device_ids))
    return [device_id for chunk in chunks for device_id in chunk.device_ids]


def test_everybody_whom_the_rules_choose_is_in_it_once(small: None) -> None:
    project = make_project()
    web = make_devices(project, 5, platform="web")
    make_devices(project, 3)
    make_devices(project, 1, platform="web", is_active=False, inactive_reason="stale")
    web += make_devices(project, 6, platform="web")
    membership = make_segment(WEB, kind="static").memberships.get()
    assert members(membership) == [device.pk for device in web]
    assert (membership.status, membership.size, membership.web) == ("completed", 11, 11)
    assert membership.finished_at == NOW


def test_the_rules_are_applied_at_the_moment_they_were_asked_for() -> None:
    project = make_project()
    [lately, _] = [
        make_devices(project, 1, last_seen_at=NOW - timedelta(hours=hours))[0] for hours in (23, 25)
    ]
    segment = make_segment(LATELY, kind="static")
    membership = request_membership(segment_id=segment.pk, now=NOW)
    Segment.objects.update(rules=WEB)
    make_devices(project, 1)
    evaluate(membership_id=membership.pk, clock=lambda: seconds_later(86_400))
    assert members(membership) == [lately.pk]


def test_an_evaluation_goes_on_where_it_was_interrupted(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = make_devices(make_project(), 8, platform="web")
    segment = make_segment(WEB, kind="static")
    membership = request_membership(segment_id=segment.pk, now=NOW)
    Membership.objects.filter(pk=membership.pk).update(through_id=devices[0].pk - 1)

    moments = iter([NOW, NOW])
    with pytest.raises(StopIteration):  # as if the worker were killed after two windows
        evaluate(membership_id=membership.pk, clock=lambda: next(moments))
    membership.refresh_from_db()
    assert (membership.status, membership.size) == ("running", 6)
    evaluate(membership_id=membership.pk, clock=lambda: NOW)
    assert members(membership) == [device.pk for device in devices]


def test_one_evaluation_is_enough_for_all_who_ask() -> None:
    segment = make_segment(WEB, kind="static")
    first = request_membership(segment_id=segment.pk, now=NOW)
    assert request_membership(segment_id=segment.pk, now=seconds_later(9)) == first
    assert Membership.objects.filter(finished_at=None).count() == 1


def test_a_dynamic_segment_is_not_evaluated_ahead() -> None:
    with pytest.raises(NotStatic):
        request_membership(segment_id=make_segment(WEB).pk, now=NOW)
    assert not Membership.objects.exists()


def test_a_refresh_takes_the_place_of_what_nobody_needs() -> None:
    make_devices(make_project(), 3, platform="web")
    segment = make_segment(WEB, kind="static")
    newer = request_membership(segment_id=segment.pk, now=NOW)
    evaluate(membership_id=newer.pk, clock=lambda: NOW)
    assert list(Membership.objects.all()) == [newer]
    assert set(MemberChunk.objects.values_list("membership", flat=True)) == {newer.pk}


@pytest.mark.usefixtures("broker")
def test_evaluations_that_nobody_touches_are_published_again() -> None:
    segment = make_segment(WEB, kind="static")
    waiting = request_membership(segment_id=segment.pk, now=NOW)
    assert resume_evaluations(now=seconds_later(60)) == []
    assert resume_evaluations(now=seconds_later(61)) == [waiting.pk]
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue("low_priority")
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert message.headers["task"] == "segments.evaluate"
    assert message.payload[0] == [waiting.pk]


def test_members_are_the_same_whichever_way_they_are_looked_up(small: None) -> None:
    project = make_project()
    web = make_devices(project, 5, platform="web")
    others = make_devices(project, 2)
    membership = make_segment(WEB, kind="static").memberships.get()
    DeviceToken.objects.update(platform="ios")
    rule = parse_fixed_rules({"field": "membership", "op": "member_of", "value": membership.pk})
    chosen = Audience(everybody=True, by_rules=ByRules(rule, now=NOW))
    everybody = {device.pk for device in web}
    assert set(chosen.devices().values_list("pk", flat=True)) == everybody
    for after in range(web[0].pk - 2, others[-1].pk + 1):
        within = IdRange(after, after + 2)
        found = set(chosen.devices(within=within).values_list("pk", flat=True))
        assert found == everybody & {after + 1, after + 2}
