from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import OperationalError
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from settings.beat import Scheduler

pytestmark = pytest.mark.django_db(transaction=True)  # beat commits, and closes connections
HOUR = timedelta(hours=1)
WANTED: dict[str, Any] = settings.CELERY_BEAT_SCHEDULE
SOONEST_S = min(entry["schedule"] for entry in WANTED.values())


def start_beat() -> Scheduler:
    scheduler = Scheduler(app=current_app)
    scheduler._finalize.cancel()  # would write to the database when the suite has ended
    return scheduler


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what beat has sent, which nobody gets."""
    names: list[str] = []

    def note(self: Scheduler, entry: object, **_: object) -> None:
        names.append(entry.name)  # type: ignore[attr-defined]

    monkeypatch.setattr(Scheduler, "apply_async", note)
    monkeypatch.setattr(Scheduler, "producer", None)
    return names


def tick_all(scheduler: Scheduler) -> float:
    """Let beat send all that is due; return in how many seconds it looks again."""
    while (wait_s := scheduler.tick()) <= 0:
        pass
    return wait_s


def test_what_the_settings_name_stands_in_the_database_once_however_often_beat_starts() -> None:
    for _ in range(2):
        start_beat()
    ours = PeriodicTask.objects.exclude(name="celery.backend_cleanup")
    assert set(ours.values_list("name", flat=True)) == set(WANTED)
    for one in ours:
        entry = WANTED[one.name]
        assert (one.task, one.enabled) == (entry["task"], True)
        assert one.interval is not None
        assert (one.interval.every, one.interval.period) == (entry["schedule"], "seconds")
    assert IntervalSchedule.objects.count() == len({one["schedule"] for one in WANTED.values()})


def test_every_entry_keeps_its_queue_and_goes_stale() -> None:
    """The scheduler drops options that it does not know without a word."""
    start_beat()
    for name, entry in WANTED.items():
        stored = PeriodicTask.objects.get(name=name)
        assert entry["options"] == {"queue": stored.queue, "expire_seconds": stored.expire_seconds}
        assert stored.queue in {queue.name for queue in settings.CELERY_TASK_QUEUES}


def test_an_entry_that_somebody_switched_off_stays_off(sent: list[str]) -> None:
    start_beat()
    PeriodicTask.objects.filter(name="rescue").update(enabled=False)
    PeriodicTask.objects.update(last_run_at=datetime.now(UTC) - HOUR)
    tick_all(start_beat())
    assert "rescue" not in sent
    assert "resume-imports" in sent


def test_beat_outlives_an_absence_of_the_database_while_it_reads_its_entries(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_beat()
    PeriodicTask.objects.update(last_run_at=datetime.now(UTC) - HOUR)
    scheduler = start_beat()

    def be_away(self: DatabaseScheduler) -> None:
        raise OperationalError

    monkeypatch.setattr(DatabaseScheduler, "all_as_schedule", be_away)
    scheduler._last_full_sync = datetime.now() - HOUR  # noqa: DTZ005 - as the library has it
    tick_all(scheduler)
    assert set(WANTED) <= set(sent)


def test_beat_asks_for_changes_every_few_seconds_not_with_every_message(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def note(self: DatabaseScheduler) -> bool:
        asked.append(time.monotonic())
        return False

    start_beat()
    monkeypatch.setattr(DatabaseScheduler, "schedule_changed", note)
    PeriodicTask.objects.update(last_run_at=datetime.now(UTC) - HOUR)
    scheduler = start_beat()
    tick_all(scheduler)
    assert (len(sent) >= len(WANTED), len(asked)) == (True, 1)
    scheduler._ask_at -= 5
    tick_all(scheduler)
    assert len(asked) == 2


def test_beat_that_starts_without_a_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(self: DatabaseScheduler) -> None:
        raise OperationalError

    monkeypatch.setattr(DatabaseScheduler, "all_as_schedule", be_away)
    with pytest.raises(OperationalError):
        start_beat()


def test_a_clock_that_is_set_back_costs_one_interval_not_the_hours_it_was_set_back(
    sent: list[str],
) -> None:
    scheduler = start_beat()
    tick_all(scheduler)
    # As all would look if it had run until now on a clock an hour ahead.
    for entry in scheduler.schedule.values():
        entry.last_run_at += HOUR
    heap: Any = scheduler._heap
    heap[:] = [event._replace(time=event.time + 3_600) for event in heap]
    scheduler._ticked_at = time.time() + 3_600
    assert tick_all(scheduler) <= SOONEST_S


def test_a_new_beat_is_not_held_up_by_what_ran_in_the_future(sent: list[str]) -> None:
    start_beat()
    PeriodicTask.objects.update(last_run_at=datetime.now(UTC) + HOUR)
    scheduler = start_beat()
    tick_all(scheduler)
    waits = [entry.is_due().next for entry in scheduler.schedule.values()]
    assert min(waits) <= SOONEST_S
