from __future__ import annotations

from functools import partial

import pytest
from django.core.management import CommandError

from campaigns import transitions
from devices.models import FcmProject
from tests.campaigns.terminal import typed
from tests.cast import make_project

pytestmark = pytest.mark.django_db

told = partial(typed.told, command="projects")
told_json = partial(typed.told_json, command="projects")


def test_one_is_set_up_and_changed() -> None:
    made = told_json("create", "acme-push", "--credentials", "env:KEY")
    assert (made["project_id"], made["quota_per_minute"]) == ("acme-push", 600_000)
    changed = told_json("change", "acme-push", "--quota", 1_200)
    assert (changed["quota_per_minute"], changed["credentials"]) == (1_200, "env:KEY")
    assert told_json("list")[0]["quota_per_minute"] == 1_200
    assert FcmProject.objects.get().quota_per_minute == 1_200


def test_its_pace_and_what_it_holds_up_are_shown() -> None:
    campaign = typed.running()
    project = FcmProject.objects.get()
    transitions.halt_lane(campaign_id=campaign.pk, project_id=project.pk, reason="no permission")
    shown = told_json("show", "acme-push")
    assert (shown["pace"], shown["blocked_for_s"]) == (1.0, 0.0)
    assert shown["halted"] == [{"campaign": campaign.pk, "reason": "no permission"}]
    assert told("show", "acme-push").splitlines()[-2:] == [
        "pace              100% of the quota",
        f"holds up campaign {campaign.pk}  no permission",
    ]


def test_an_encrypted_key_is_not_shown() -> None:
    make_project(project_id="acme-push")
    FcmProject.objects.update(credentials="encrypted:gAAAA")
    assert told_json("show", "acme-push")["credentials"] == "encrypted"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["show", "other-app"], 3, "^There is no FCM project 'other-app'"),
        (["change", "other-app", "--quota", 5], 3, "^There is no FCM project 'other-app'"),
        (["create", "acme-push", "--credentials", "{}"], 1, "^credentials: Name where"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[object], code: int, reason: str) -> None:
    with pytest.raises(CommandError, match=reason) as refusal:
        told(*words)
    assert refusal.value.returncode == code
    assert not FcmProject.objects.exists()
