from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.schedules.recurrence import Recurrence, Window

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAYTIME = Window(time(9), time(21))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def next_slots(recurrence: Recurrence, *, after: datetime, count: int) -> list[datetime]:
    return list(islice(recurrence.slots(after=after), count))


def slots(cron: str, zone: str, after: str, count: int, **fields: Any) -> list[str]:
    """Return the next slots as UTC, without the seconds, which are 0."""
    recurrence = Recurrence(cron=cron, timezone=zone, **fields)
    found = next_slots(recurrence, after=moment(after), count=count)
    assert all(slot.second == slot.microsecond == 0 for slot in found)
    return [slot.strftime("%m-%d %H:%M") for slot in found]


def problems(**fields: Any) -> dict[str, str]:
    recurrence = Recurrence(**{"cron": "0 9 * * *", "timezone": "Europe/Berlin"} | fields)
    return {problem.field: problem.message for problem in recurrence.problems(now=NOW)}


def test_the_same_hour_of_the_clock_stays_the_same_through_the_year() -> None:
    assert slots("0 9 * * *", "Europe/Berlin", "2026-03-28", 2) == ["03-28 08:00", "03-29 07:00"]
    assert slots("0 9 * * *", "America/New_York", "2026-03-07", 2) == [
        "03-07 14:00",
        "03-08 13:00",
    ]


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        # 02:00 → 03:00: 02:30 is not shown, and comes an hour later, as 03:30.
        ("Europe/Berlin", "2026-03-28", ["03-28 01:30", "03-29 01:30", "03-30 00:30"]),
        ("America/New_York", "2026-03-07", ["03-07 07:30", "03-08 07:30", "03-09 06:30"]),
        # 03:00 → 02:00 (02:00 → 01:00 in New York, where 02:30 is shown once).
        ("Europe/Berlin", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
        ("America/New_York", "2026-10-31", ["10-31 06:30", "11-01 07:30", "11-02 07:30"]),
        ("UTC", "2026-03-28", ["03-28 02:30", "03-29 02:30", "03-30 02:30"]),
    ],
)
def test_a_time_of_day_comes_once_on_each_day_also_where_clocks_change(
    zone: str, after: str, expected: list[str]
) -> None:
    assert slots("30 2 * * *", zone, after, 3) == expected


def test_a_time_that_is_shown_twice_is_the_first() -> None:
    assert slots("30 1 * * *", "America/New_York", "2026-10-31T12:00", 2) == [
        "11-01 05:30",
        "11-02 06:30",
    ]


@pytest.mark.parametrize("minute", range(0, 61, 7))
def test_a_slot_is_neither_lost_nor_repeated_when_one_looks_again_during_the_change(
    minute: int,
) -> None:
    """At 03:MM after the change 02:30 is still to come (as 03:30), and then it is over."""
    looked = moment("2026-03-29T01:00") + timedelta(minutes=minute)
    due = "03-29 01:30" if minute < 30 else "03-30 00:30"
    found = next_slots(
        Recurrence(cron="30 2 * * *", timezone="Europe/Berlin"), after=looked, count=1
    )
    assert [slot.strftime("%m-%d %H:%M") for slot in found] == [due]


def test_several_times_that_are_left_out_come_once_together_with_those_after() -> None:
    assert slots("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29", 3) == [
        "03-29 01:00",
        "03-29 01:30",
        "03-30 00:00",
    ]


def test_minutes_of_one_hour_are_times_of_day_too() -> None:
    assert slots("*/20 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 4) == [
        "10-25 00:00",
        "10-25 00:20",
        "10-25 00:40",
        "10-26 01:00",
    ]


@pytest.mark.parametrize("hour", ["*", "*/1"])
def test_every_hour_means_every_real_hour(hour: str) -> None:
    assert slots(f"0 {hour} * * *", "Europe/Berlin", "2026-10-24T23:30", 4) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
        "10-25 03:00",
    ]
    assert slots(f"0 {hour} * * *", "Europe/Berlin", "2026-03-29T00:30", 2) == [
        "03-29 01:00",
        "03-29 02:00",
    ]


def test_it_falls_due_from_its_start_to_its_end_both_included() -> None:
    assert slots(
        "0 9 * * *",
        "UTC",
        "2026-03-01",
        9,
        starts_at=moment("2026-03-02T09:00"),
        ends_at=moment("2026-03-04T09:00"),
    ) == ["03-02 09:00", "03-03 09:00", "03-04 09:00"]


def test_what_is_outside_of_the_window_is_left_out() -> None:
    assert slots("0 */6 * * *", "Europe/Berlin", "2026-02-01", 3, window=DAYTIME) == [
        "02-01 11:00",
        "02-01 17:00",
        "02-02 11:00",
    ]


def test_a_window_may_go_over_midnight_and_ends_before_it_closes() -> None:
    assert slots("0 */3 * * *", "UTC", "2026-02-01", 4, window=Window(time(21), time(3))) == [
        "02-01 21:00",
        "02-02 00:00",
        "02-02 21:00",
        "02-03 00:00",
    ]


@pytest.mark.parametrize(
    "cron",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *"),
        *("* * * * 9", "a b c d e", "*/0 * * * *", "5-1 * * * *", "², * * * *", "@daily"),
        *("0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 32 * *", "\0 * * * *", "- - - - -", ", , , , ,"),
    ],
)
def test_what_is_no_cron_expression_or_never_comes_is_refused(cron: str) -> None:
    assert list(problems(cron=cron)) == ["cron"]


def test_the_reason_names_the_part_that_is_wrong() -> None:
    assert problems(cron="0 0 30 2 *") == {"cron": "The day-of-month is wrong or never comes."}
    assert problems(cron="0 25 * * *") == {"cron": "The hour is wrong or never comes."}
    assert "five fields" in problems(cron="0 0 * * * *")["cron"]


@pytest.mark.parametrize("cron", ["0 9 * * MON-FRI", "0 0 29 2 *", "0 9 L * *", "0 9 * * 1#1"])
def test_what_comes_seldom_or_by_name_is_fine(cron: str) -> None:
    assert problems(cron=cron) == {}


@pytest.mark.parametrize("zone", ["", "Berlin", "CEST!", "europe/berlin", "../etc/passwd", "\0"])
def test_a_zone_that_there_is_not_is_refused(zone: str) -> None:
    assert list(problems(timezone=zone)) == ["timezone"]


def test_an_end_that_has_passed_or_lies_before_the_start_is_refused() -> None:
    assert problems(ends_at=NOW) == {"ends_at": "Has passed."}
    assert problems(starts_at=moment("2026-05-02"), ends_at=moment("2026-05-01")) == {
        "ends_at": "It ends before it starts."
    }


def test_an_end_before_the_first_slot_is_refused() -> None:
    assert list(problems(ends_at=NOW + timedelta(hours=1))) == ["cron"]


def test_a_start_at_the_end_of_the_calendar_is_refused() -> None:
    start = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert list(problems(starts_at=start)) == ["cron"]


def test_a_window_that_is_never_open_or_never_met_is_refused() -> None:
    assert list(problems(window=Window(time(9), time(9)))) == ["window_closes"]
    assert problems(cron="0 8 * * *", window=DAYTIME) == {
        "cron": "It never falls due within the window."
    }


def test_for_the_devices_own_clocks_it_begins_with_the_first_clock_on_earth() -> None:
    recurrence = Recurrence(cron="0 9 * * *", timezone="Europe/Berlin", begins_early=True)
    # 09:00 in Kiritimati (UTC+14) is 19:00 UTC of the day before.
    assert recurrence.begins_at(moment("2026-03-02T08:00")) == moment("2026-03-01T19:00")
    assert next(recurrence.upcoming(now=moment("2026-03-01T18:59"))) == moment("2026-03-02T08:00")
    assert next(recurrence.upcoming(now=moment("2026-03-01T19:00"))) == moment("2026-03-03T08:00")


@settings(max_examples=60, deadline=None)
@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    zone=st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut"]
    ),
    days=st.integers(0, 364),
    seconds=st.integers(0, 86_399),
)
def test_whenever_one_looks_the_slots_are_the_same_one_for_each_day(
    hour: int, minute: int, zone: str, days: int, seconds: int
) -> None:
    recurrence = Recurrence(cron=f"{minute} {hour} * * *", timezone=zone)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    year = next_slots(recurrence, after=start, count=370)
    local_days = [slot.astimezone(ZoneInfo(zone)).date() for slot in year]
    assert local_days == [local_days[0] + timedelta(days=n) for n in range(370)]
    looked = start + timedelta(days=days, seconds=seconds)
    assert next_slots(recurrence, after=looked, count=1) == [
        min(slot for slot in year if slot > looked)
    ]
