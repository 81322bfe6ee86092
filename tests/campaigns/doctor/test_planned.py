"""What is found with what is to come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User

from campaigns.access import keys
from campaigns.access.models import ApiKey
from campaigns.access.scopes import Scope
from campaigns.doctor.checks import planned
from campaigns.schedules.services import pause_schedule
from tests.campaigns.schedules.cast import at, look, make_schedule
from tests.cast import NOW, make_devices, make_project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


class TestSchedules:
    def test_none_that_misses_runs_is_fine(self) -> None:
        make_devices(make_project(), 1)
        make_schedule()
        look("2 09:00")
        [finding] = planned.check_schedules(at("2 09:01"))
        assert (finding.level.name, finding.title) == (
            "OK",
            "Schedules that will start campaigns: 1; none misses its runs.",
        )

    def test_one_that_missed_its_last_run_is_told_with_the_reason(self) -> None:
        schedule = make_schedule(name="Daily sale")
        look("2 10:00:01")
        [finding] = planned.check_schedules(at("2 12:00"))
        assert (finding.level.name, finding.title, finding.advice) == (
            "WARNING",
            (
                "Runs of schedule “Daily sale” missed since yesterday: 1."
                " It was 3601 s late; up to 3600 s are allowed."
            ),
            f"Mend the reason; manage.py schedules runs {schedule.pk} lists them.",
        )

    def test_one_that_starts_again_or_is_paused_or_missed_it_long_ago_is_fine(self) -> None:
        make_devices(make_project(), 1)
        make_schedule(cron="0 9,11 * * *", max_lateness_s=60)
        paused = make_schedule(cron="0 9 * * *", max_lateness_s=60)
        old = make_schedule(cron="0 9 * * *", max_lateness_s=60, ends_at=at("2 10:00"))
        look("2 09:30")
        pause_schedule(schedule_id=paused.pk)
        assert look("2 11:00") == 1
        assert [one.level.name for one in planned.check_schedules(at("2 11:01"))] == ["WARNING"]
        assert old.runs.get().outcome == "missed"
        assert [one.level.name for one in planned.check_schedules(at("3 09:31"))] == ["OK"]


class TestKeys:
    @staticmethod
    def key(*, days: int, used: datetime | None = NOW) -> ApiKey:
        owner, _ = User.objects.get_or_create(username="ann")
        made, _ = keys.create_key(
            name="shop",
            scopes=[Scope.CAMPAIGNS_READ],
            owner=owner,
            now=NOW,
            expires_at=NOW + timedelta(days=days),
        )
        ApiKey.objects.filter(pk=made.pk).update(last_used_at=used)
        return made

    def test_one_that_is_used_and_ends_soon_is_told_with_how_to_rotate_it(self) -> None:
        key = self.key(days=7)
        [finding] = planned.check_keys(NOW)
        assert (finding.level.name, finding.title, finding.advice) == (
            "WARNING",
            f"API key “shop” ({key.prefix}) is in use and ends 2026-03-08 12:00 UTC.",
            f"Run: manage.py apikey rotate {key.pk}; and give its program the new one.",
        )

    def test_one_that_nobody_uses_or_ends_later_or_was_rotated_or_revoked_is_fine(self) -> None:
        self.key(days=1, used=None)
        self.key(days=8)
        keys.rotate_key(key_id=self.key(days=20).pk, now=NOW)
        keys.revoke_key(key_id=self.key(days=2).pk, now=NOW)
        [finding] = planned.check_keys(NOW)
        assert finding.level.name == "OK"
