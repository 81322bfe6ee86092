from __future__ import annotations

from typing import Any

import pytest

from devices.models import FcmProject
from devices.segments.memberships import evaluate
from devices.segments.models import Membership, Segment
from tests.answers import complaints_in
from tests.cast import NOW, make_campaign, make_devices
from tests.devices.api.conftest import Call, call, project, staff, staff_user
from tests.devices.segments.cast import make_list, make_segment

__all__ = ["call", "project", "staff", "staff_user"]  # fixtures
pytestmark = pytest.mark.django_db
PATH = "/api/segments/"
WEB = {"field": "platform", "op": "eq", "value": "web"}


def test_a_segment_is_saved_read_and_listed(call: Call) -> None:
    status, body = call("POST", PATH, {"name": "Web", "rules": {"all": [WEB]}})
    assert status == 201
    assert {key: body[key] for key in ("name", "kind", "rules", "current", "under_way")} == {
        "name": "Web",
        "kind": "dynamic",
        "rules": {"all": [WEB]},
        "current": None,
        "under_way": None,
    }
    assert call("GET", f"{PATH}{body['id']}/") == (200, body)
    assert call("GET", PATH).body["results"] == [body]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"rules": {"all": [WEB, WEB | {"value": "tv"}]}}, "rules.all[1].value"),
        ({"rules": WEB | {"op": "is"}}, "rules.op"),
        ({"rules": {"not": WEB | {"field": "user_id", "op": "in_list", "value": 7}}}, None),
        ({"rules": []}, "rules"),
        ({"rules": None}, "rules"),
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\0"}, "name"),
        ({"kind": "lazy"}, "kind"),
        ({"created_by": 1}, "created_by"),
        ({"current": {}}, "current"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(
    call: Call, changes: dict[str, Any], place: str | None
) -> None:
    status, body = call("POST", PATH, {"name": "Web", "rules": WEB} | changes)
    assert (status, list(complaints_in(body))) == (400, [place or "rules.not.value"])
    assert not Segment.objects.exists()


def test_a_name_is_taken_once(call: Call) -> None:
    make_segment(WEB, name="Web")
    other = make_segment(WEB, name="Other")
    assert call("POST", PATH, {"name": "Web", "rules": WEB}).status == 400
    status, body = call("PATCH", f"{PATH}{other.pk}/", {"name": "Web"})
    assert (status, list(complaints_in(body))) == (400, ["name"])
    assert set(Segment.objects.values_list("name", flat=True)) == {"Web", "Other"}


def test_some_fields_are_changed(call: Call) -> None:
    segment = make_segment(WEB, name="Web")
    status, body = call("PATCH", f"{PATH}{segment.pk}/", {"rules": {"not": WEB}})
    assert (status, body["rules"], body["name"]) == (200, {"not": WEB}, "Web")
    assert call("PATCH", f"{PATH}{segment.pk}/", {"kind": "static"}).status == 400
    segment.refresh_from_db()
    assert (segment.rules, segment.kind) == ({"not": WEB}, "dynamic")


def test_a_segment_that_is_needed_is_not_deleted(call: Call) -> None:
    segment = make_segment(WEB, name="Web")
    campaign = make_campaign(target_all=False, segment=segment)
    status, body = call("DELETE", f"{PATH}{segment.pk}/")
    assert status == 409
    assert f"campaign {campaign.pk}" in body["errors"][0]["detail"]
    campaign.delete()
    assert call("DELETE", f"{PATH}{segment.pk}/").status == 204
    assert not Segment.objects.exists()
    assert call("DELETE", f"{PATH}{segment.pk}/").status == 404


def test_the_reach_is_told_by_platform(call: Call, project: FcmProject) -> None:
    make_devices(project, 2, platform="web")
    make_devices(project, 1, platform="ios")
    reach = {
        "total": 2,
        "platforms": {"android": 0, "ios": 0, "web": 2},
        "is_exact": True,
        "margin": 0,
    }
    assert call("POST", f"{PATH}estimate/", {"rules": WEB}) == (200, reach)
    assert call("GET", f"{PATH}{make_segment(WEB).pk}/estimate/") == (200, reach)
    status, body = call("POST", f"{PATH}estimate/", {"rules": {"any": [WEB | {"op": "?"}]}})
    assert (status, list(complaints_in(body))) == (400, ["rules.any[0].op"])


def test_a_sample_shows_devices(call: Call, project: FcmProject) -> None:
    web = make_devices(project, 2, platform="web")
    make_devices(project, 1)
    ids = [device.pk for device in web]
    for answer in (
        call("POST", f"{PATH}sample/", {"rules": WEB}),
        call("GET", f"{PATH}{make_segment(WEB).pk}/sample/"),
    ):
        assert answer.status == 200
        assert [device["id"] for device in answer.body] == ids


def test_a_static_segment_is_whom_it_had_when_it_was_evaluated(
    call: Call, project: FcmProject
) -> None:
    make_devices(project, 2, platform="web")
    body = call("POST", PATH, {"name": "Web", "kind": "static", "rules": WEB}).body
    path = f"{PATH}{body['id']}/"
    assert (body["current"], body["under_way"]["status"]) == (None, "waiting")
    assert call("GET", f"{path}estimate/").status == 409
    evaluate(membership_id=Membership.objects.get().pk, clock=lambda: NOW)
    make_devices(project, 1, platform="web")
    body = call("GET", path).body
    assert (body["current"]["size"], body["under_way"]) == (2, None)
    assert call("GET", f"{path}estimate/").body["total"] == 2
    assert len(call("GET", f"{path}sample/").body) == 2
    status, body = call("POST", f"{path}refresh/")
    assert (status, body["under_way"]["status"], body["current"]["size"]) == (202, "waiting", 2)
    dynamic = make_segment(WEB)
    assert call("POST", f"{PATH}{dynamic.pk}/refresh/").status == 409


def test_a_campaign_names_its_segments_and_lists(call: Call) -> None:
    segment, user_list = make_segment(WEB), make_list({"ann"})
    given = {
        "title": "Sale",
        "message": "Half price.",
        "segment": segment.pk,
        "exclude_user_list": user_list.pk,
    }
    status, body = call("POST", "/api/campaigns/", given)
    assert status == 201
    assert {key: body[key] for key in given} == given
    for field, value in {
        "segment": 10**30,
        "user_list": user_list.pk,
        "exclude_segment": 0,
    }.items():
        status, body = call("POST", "/api/campaigns/", given | {field: value})
        assert (status, list(complaints_in(body))) == (400, [field])
