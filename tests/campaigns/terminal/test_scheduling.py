from __future__ import annotations

from functools import partial

import pytest
from django.core.management import CommandError

from campaigns.schedules.models import Schedule
from tests.campaigns.terminal import typed
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db

told = partial(typed.told, command="schedules")
told_json = partial(typed.told_json, command="schedules")


def test_the_next_ten_runs_are_listed_with_nothing_saved() -> None:
    flags = ["30 9 * * 1", "--timezone", "America/New_York", "--starts-at", "2999-03-01T00:00:00Z"]
    runs = told_json("preview", *flags)
    assert [run["slot"] for run in runs[:3]] == [
        "2999-03-04T14:30:00Z",
        "2999-03-11T13:30:00Z",  # clocks are put forward on the tenth
        "2999-03-18T13:30:00Z",
    ]
    assert len(runs) == 10
    assert told("preview", *flags).splitlines()[2] == (
        "Mon 2999-03-04 14:30Z   Mon 2999-03-04 09:30 EST"
    )
    assert not Schedule.objects.exists()


def test_its_next_runs_are_shown_when_it_is_made() -> None:
    flags = ["30 9 * * 1", "--starts-at", "2999-03-01T00:00:00Z", "--max-runs", 2]
    assert told("create", make_campaign().pk, *flags).splitlines()[-2:] == [
        "Mon 2999-03-04 09:30Z   Mon 2999-03-04 09:30 UTC",
        "Mon 2999-03-11 09:30Z   Mon 2999-03-11 09:30 UTC",
    ]


def test_a_schedule_is_made_paused_resumed_and_deleted() -> None:
    made = told_json("create", make_campaign(title="Weekly").pk, "0 9 * * 1", "--max-runs", 3)
    assert (made["status"], made["cron"], made["max_runs"]) == ("active", "0 9 * * 1", 3)
    assert len(told_json("upcoming", made["id"])) == 3
    assert told_json("runs", made["id"]) == []
    assert told_json("pause", made["id"])["status"] == "paused"
    assert [one["status"] for one in told_json("list")] == ["paused"]
    assert told_json("resume", made["id"])["status"] == "active"
    assert told_json("show", made["id"])["content"]["title"] == "Weekly"
    assert told("delete", made["id"], "--yes") == "The schedule “0 9 * * 1” is deleted.\n"
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["preview", "0 9 * * 1", "--timezone", "Europe/Berln"], "^timezone: "),
        (["preview", "0 0 30 2 *"], "^cron: "),
        (["preview", "0 9 * * 1", "--window-opens", "9 o'clock"], "^window_opens: "),
        (["create", 404, "0 9 * * 1"], "^campaign: "),
        (["pause", 404], "^There is no schedule 404"),
    ],
)
def test_what_makes_no_sense_is_told_by_field(words: list[object], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        told(*words)
