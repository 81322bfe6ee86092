"""What is found in PostgreSQL, Redis, the broker and on disks."""

from __future__ import annotations

import time
from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from kombu.exceptions import OperationalError
from pytest_django import Settings

from campaigns.doctor.checks import celery as broker_checks
from campaigns.doctor.checks import disk, postgres
from campaigns.doctor.checks import redis as redis_checks
from campaigns.doctor.findings import Finding, Level
from campaigns.models import RescueRun
from campaigns.tasks import send_push_batch
from tests.campaigns.conftest import Broker
from tests.cast import NOW, seconds_later
from tests.fixtures.redis import ValkeyServer, own_redis

__all__ = ["own_redis"]


def only(found: Sequence[Finding]) -> tuple[str, str]:
    """Return the level and title of what must be the only finding; a bad one has advice."""
    [finding] = found
    assert bool(finding.advice) is (finding.level is not Level.OK)
    return finding.level.name, finding.title


@pytest.mark.django_db
class TestPostgres:
    def test_a_database_of_this_version_is_fine(self) -> None:
        assert only(postgres.check_migrations(NOW)) == ("OK", "All migrations are applied.")

    def test_a_migration_that_is_missing_is_named(self) -> None:
        applied = MigrationRecorder(connection)
        applied.record_unapplied("campaigns", "0002_ledger")
        assert only(postgres.check_migrations(NOW)) == (
            "CRITICAL",
            "Migrations are not applied: campaigns.0002_ledger.",
        )

    def test_settings_that_keep_what_is_committed_are_fine(self) -> None:
        level, title = only(postgres.check_settings(NOW))
        assert (level, title[:7]) == ("OK", "Durable")

    def test_a_server_that_forgets_its_last_moment_is_found(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        level, title = only(postgres.check_settings(NOW))
        assert (level, title.split(":")[0]) == ("WARNING", "synchronous_commit is off")

    def test_room_for_connections_is_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert only(postgres.check_connections(NOW))[0] == "OK"
        monkeypatch.setattr(postgres, "_FULL", 0.0)
        level, title = only(postgres.check_connections(NOW))
        assert (level, title.split(" ")[-1]) == ("WARNING", "use.")


class TestRedis:
    @pytest.fixture(autouse=True)
    def _own(self, own_redis: ValkeyServer, settings: Settings) -> None:
        settings.REDIS_URL = own_redis.url

    @contextmanager
    def configured(self, own_redis: ValkeyServer, **values: str) -> Iterator[None]:
        with redis.Redis.from_url(own_redis.url) as client:
            for name, value in values.items():
                client.config_set(name.replace("_", "-"), value)
            yield

    def test_one_that_forgets_at_a_restart_is_found(self, own_redis: ValkeyServer) -> None:
        level, title = only(redis_checks.check_redis(NOW))
        assert (level, title.split(":")[0]) == ("WARNING", "Redis has no append-only file")
        with self.configured(own_redis, appendonly="yes"):
            assert only(redis_checks.check_redis(NOW))[0] == "OK"

    def test_one_that_throws_messages_away_is_found(self, own_redis: ValkeyServer) -> None:
        values = {"appendonly": "yes", "maxmemory_policy": "allkeys-lru"}
        with self.configured(own_redis, **values):
            assert only(redis_checks.check_redis(NOW)) == (
                "CRITICAL",
                "Redis may throw messages away: maxmemory-policy is allkeys-lru.",
            )

    def test_one_that_is_full_is_found(self, own_redis: ValkeyServer) -> None:
        with self.configured(own_redis, appendonly="yes", maxmemory="1000"):
            level, title = only(redis_checks.check_redis(NOW))
        assert (level, title.split(":")[0]) == ("CRITICAL", "Redis is nearly full")

    @pytest.mark.django_db
    def test_clocks_that_differ_are_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert only(redis_checks.check_clocks(NOW)) == ("OK", "The clocks agree.")
        monkeypatch.setattr(redis_checks, "_redis_time", lambda: time.time() + 3)
        level, title = only(redis_checks.check_clocks(NOW))
        assert level == "WARNING"
        assert title.endswith("Redis +3.0 s.")
        monkeypatch.setattr(redis_checks, "_database_time", lambda: time.time() - 60)
        assert only(redis_checks.check_clocks(NOW))[0] == "CRITICAL"


class TestQueues:
    def test_empty_ones_are_fine(self, broker: Broker) -> None:
        assert only(broker_checks.check_queues(NOW)) == ("OK", "All queues are empty.")

    def test_what_waits_is_counted_and_its_oldest_dated(
        self, broker: Broker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(3):
            send_push_batch.si(number).apply_async(queue="low_priority")
        published = time.time()
        monkeypatch.setattr("campaigns.doctor.checks.celery.time.time", lambda: published + 90)
        level, title = only(broker_checks.check_queues(NOW))
        assert (level, title) == ("OK", "Waiting: low_priority 3 (oldest 90 s).")
        monkeypatch.setattr("campaigns.doctor.checks.celery.time.time", lambda: published + 720)
        assert only(broker_checks.check_queues(NOW)) == (
            "WARNING",
            "Messages wait for long: low_priority since 12 min.",
        )

    def test_a_broker_that_is_away_is_told_soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        conf = current_app.conf
        monkeypatch.setattr(conf, "broker_read_url", "redis://127.0.0.1:1/0")
        for check in (
            broker_checks.check_broker,
            broker_checks.check_queues,
            broker_checks.check_workers,
        ):
            began = time.monotonic()
            with pytest.raises(OperationalError):
                check(NOW)
            assert time.monotonic() - began < 5

    def test_without_any_worker_the_whole_line_to_start_one_is_given(self, broker: Broker) -> None:
        [finding] = broker_checks.check_workers(NOW)
        assert finding.level is Level.CRITICAL
        assert finding.title == "No worker answers: what is sent there waits for ever."
        assert finding.advice == (
            "Run: celery --app settings worker -Q rescue,high_priority,notices,default,low_priority"
        )

    @pytest.mark.parametrize(
        ("served", "level"), [({"rescue", "default"}, "CRITICAL"), (None, "OK")]
    )
    def test_a_queue_that_nobody_consumes_is_named(
        self, broker: Broker, monkeypatch: pytest.MonkeyPatch, served: set[str] | None, level: str
    ) -> None:
        every = {"rescue", "high_priority", "notices", "default", "low_priority"}
        monkeypatch.setattr(
            "celery.app.control.Inspect.active_queues",
            lambda _self: {"w1": [{"name": name} for name in served or every]},
        )
        found, title = only(broker_checks.check_workers(NOW))
        assert found == level
        if served:
            names = "high_priority, notices, low_priority"
            assert title == f"Nobody consumes {names}: what is sent there waits for ever."


@pytest.mark.django_db
class TestBeat:
    def test_one_that_never_ran_is_found(self) -> None:
        assert only(broker_checks.check_beat(NOW))[0] == "CRITICAL"

    @pytest.mark.parametrize(
        ("late_s", "level"),
        [(0, "OK"), (15, "OK"), (16, "WARNING"), (60, "WARNING"), (61, "CRITICAL")],
    )
    def test_how_late_it_is_decides(self, late_s: int, level: str) -> None:
        RescueRun.objects.create(pk=1, ran_at=NOW)
        assert only(broker_checks.check_beat(seconds_later(late_s)))[0] == level

    def test_it_says_since_when(self) -> None:
        RescueRun.objects.create(pk=1, ran_at=NOW - timedelta(hours=1))
        assert only(broker_checks.check_beat(NOW)) == (
            "CRITICAL",
            "Beat does not run: the rescue looked 3,600 s ago.",
        )


Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.mark.django_db
class TestDisk:
    @pytest.mark.parametrize(("free_gib", "level"), [(50, "OK"), (9, "WARNING"), (0.5, "CRITICAL")])
    def test_how_much_is_free_decides(
        self,
        settings: Settings,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        free_gib: float,
        level: str,
    ) -> None:
        settings.IMPORT_FOLDER = str(tmp_path / "not" / "made" / "yet")
        gib = 1 << 30
        monkeypatch.setattr(
            "campaigns.doctor.checks.disk.shutil.disk_usage",
            lambda _path: Usage(200 * gib, 0, int(free_gib * gib)),
        )
        monkeypatch.setattr(disk, "_database", lambda: (3 * gib, None))
        uploads, database = disk.check_disk(NOW)
        assert (uploads.level.name, uploads.title) == (
            level,
            f"{free_gib:,.1f} of 200.0 GiB are free for uploads.",
        )
        assert database.title == "The database has 3.0 GiB; its disk is another machine's."

    def test_a_database_of_this_machine_is_looked_at(self) -> None:
        uploads, database = disk.check_disk(NOW)
        assert uploads.title.endswith("are free for uploads.")
        assert "the database" in database.title
