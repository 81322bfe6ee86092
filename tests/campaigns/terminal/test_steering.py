from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError

from campaigns.models import PushCampaign
from tests.campaigns.terminal.typed import running, told, told_json
from tests.cast import make_campaign, make_devices, make_project, status_of

pytestmark = pytest.mark.django_db


def test_pauses_resumes_and_cancels() -> None:
    campaign = running()
    statuses = [told_json(move, campaign.pk)["status"] for move in ("pause", "resume")]
    statuses.append(told_json("cancel", campaign.pk, "--yes")["status"])
    assert statuses == ["paused", "processing", "cancelled"]


def test_a_move_that_is_not_allowed_names_what_is() -> None:
    with pytest.raises(
        CommandError, match="Cannot pause a campaign that is draft; allowed now"
    ) as no:
        told("pause", make_campaign().pk)
    assert no.value.returncode == 1


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_everybody_is_sent_to_only_after_a_yes(
    answer: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign(title="Sale")
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    with pytest.raises(CommandError, match=r"--yes|Nothing was done"):
        told("send", campaign.pk)
    assert "Send “Sale” to everybody: 3 devices?" in capfd.readouterr().err
    assert status_of(campaign) == "draft"


def test_ctrl_c_at_the_question_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign()

    class Interrupted:
        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    with pytest.raises(CommandError, match="Nothing was done") as left:
        told("send", campaign.pk)
    assert left.value.returncode == 130
    assert status_of(campaign) == "draft"


def test_a_yes_sends_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    make_devices(make_project(), 3)
    campaign = make_campaign()
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    told("send", campaign.pk)
    assert status_of(campaign) == "processing"


def test_scripts_say_yes_beforehand_and_named_users_need_none() -> None:
    make_devices(make_project(), 1, user_id="ann")
    for campaign, words in (
        (make_campaign(), ["--yes"]),
        (make_campaign(target_all=False, target_user_ids=["ann"]), []),
    ):
        assert told_json("send", campaign.pk, *words)["status"] == "processing"


def test_is_scheduled_for_a_moment_with_its_offset_and_taken_back() -> None:
    campaign = make_campaign()
    assert told_json("schedule", campaign.pk, "2999-01-31T18:00:00+01:00")["status"] == "scheduled"
    campaign.refresh_from_db()
    assert campaign.scheduled_at is not None
    assert campaign.scheduled_at.isoformat() == "2999-01-31T17:00:00+00:00"
    assert told_json("unschedule", campaign.pk)["status"] == "draft"


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("tomorrow", "is not a time such as"),
        ("2999-01-31T18:00:00", "lacks its offset from UTC"),
        ("2020-01-31T18:00:00Z", "has passed"),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused(moment: str, reason: str) -> None:
    campaign = make_campaign()
    with pytest.raises(CommandError, match=reason):
        told("schedule", campaign.pk, moment)
    assert status_of(campaign) == "draft"


@pytest.mark.parametrize(("word", "rate"), [("250", 250), ("none", None)])
def test_changes_the_rate_of_a_running_campaign(word: str, rate: int | None) -> None:
    campaign = running(rate_limit_per_second=10)
    assert told_json("set-rate", campaign.pk, word)["rate_limit_per_second"] == rate
    assert PushCampaign.objects.get(pk=campaign.pk).rate_limit_per_second == rate


@pytest.mark.parametrize("word", ["0", "fast", "1.5"])
def test_refuses_what_is_no_rate(word: str) -> None:
    with pytest.raises(CommandError, match="neither a whole number from 1 nor"):
        told("set-rate", running().pk, word)


def test_an_ended_campaign_has_no_rate_to_change() -> None:
    campaign = running()
    told("cancel", campaign.pk, "-y")
    with pytest.raises(CommandError, match="Cannot set the rate of a campaign that is cancelled"):
        told("set-rate", campaign.pk, "5")
