from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from devices.models import DeviceToken, FcmProject
from tests.cast import make_devices, make_project


@pytest.fixture
def project() -> FcmProject:
    return make_project(project_id="shop-app")


def devices(*arguments: Any) -> str:
    out = io.StringIO()
    call_command("devices", *map(str, arguments), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@contextmanager
def full_disk() -> Iterator[None]:
    """Let PostgreSQL answer as if its disk were full, wherever devices are written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE disk_full USING MESSAGE = 'no space left'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON devices_devicetoken"
            " EXECUTE FUNCTION full_disk()"
        )
        try:
            yield
        finally:
            cursor.execute("DROP FUNCTION full_disk CASCADE")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("project")
class TestImport:
    FILE = "user_id,address,platform\nann,a1,web\nbob,a2,symbian\n"

    def test_a_file_is_imported_with_its_account_and_rejects(self, tmp_path: Path) -> None:
        path, rejects = tmp_path / "devices.CSV", tmp_path / "rejects.csv"
        path.write_text(self.FILE)
        account = json.loads(devices("import", path, "--rejects", rejects, "--json"))
        assert account.pop("elapsed_s") > 0
        assert account == {
            "rows": 2,
            "rejected": 1,
            "created": 1,
            "updated": 0,
            "unchanged": 0,
            "repeated": 0,
        }
        assert rejects.read_text().splitlines() == [
            "line,field,reason,row",
            '3,platform,"Must be one of android, ios, web.","bob,a2,symbian"',
        ]

    def test_the_account_is_for_people_too(self, tmp_path: Path) -> None:
        path = tmp_path / "devices.jsonl"
        path.write_text('{"user_id": "ann", "address": "a1", "platform": "web"}')
        lines = devices("import", path).splitlines()
        assert lines[2].split() == ["created", "1"]
        assert "rows/s" in lines[-1]

    def test_a_file_of_another_name_needs_its_format(self, tmp_path: Path) -> None:
        path = tmp_path / "devices.txt"
        path.write_text(self.FILE)
        with pytest.raises(CommandError, match="--format"):
            devices("import", path)
        devices("import", path, "--format", "csv", "--project", "shop-app")
        assert DeviceToken.objects.get().user_id == "ann"

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            ("name\n", [], "There is no column 'name'"),
            (FILE, ["--project", "nobodys"], "no FCM project 'nobodys'"),
            (FILE, ["--rejects", "/dev/null/x"], "/dev/null/x"),
        ],
    )
    def test_what_cannot_be_done_is_one_sentence(
        self, tmp_path: Path, text: str, options: list[str], message: str
    ) -> None:
        path = tmp_path / "devices.csv"
        path.write_text(text)
        with pytest.raises(CommandError, match=message):
            devices("import", path, *options)
        assert not DeviceToken.objects.exists()

    def test_the_rejects_never_overwrite_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "devices.csv"
        path.write_text(self.FILE)
        with pytest.raises(CommandError, match="overwrite"):
            devices("import", path, "--rejects", path)
        assert path.read_text() == self.FILE

    def test_where_nobody_asked_why_rows_are_rejected_the_way_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "devices.csv"
        path.write_text(self.FILE)
        call_command("devices", "import", str(path))
        assert capsys.readouterr().err == "1 rows are rejected; --rejects FILE says why.\n"
        call_command("devices", "import", str(path), "--rejects", str(tmp_path / "rejects.csv"))
        assert capsys.readouterr().err == ""

    def test_a_pipe_is_read_too(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe.csv"
        os.mkfifo(pipe)
        with ThreadPoolExecutor(1) as pool:
            written = pool.submit(pipe.write_text, self.FILE)
            account = json.loads(devices("import", pipe, "--json"))
        assert written.result() == len(self.FILE)
        assert (account["rows"], account["created"]) == (2, 1)

    def test_whoever_stops_it_hears_how_to_go_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def stop(**_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("devices.management.commands.devices.import_devices", stop)
        path = tmp_path / "devices.csv"
        path.write_text(self.FILE)
        with pytest.raises(CommandError, match="the same command does the rest") as stopped:
            devices("import", path)
        assert stopped.value.returncode == 130

    def test_a_full_disk_of_the_database_is_told_as_that(self, tmp_path: Path) -> None:
        path = tmp_path / "devices.csv"
        path.write_text(self.FILE)
        with full_disk(), pytest.raises(CommandError, match="can't go on: no space") as failed:
            devices("import", path)
        assert failed.value.returncode == 4
        assert not DeviceToken.objects.exists()

    def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="No such file"):
            devices("import", tmp_path / "none.csv")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
class TestExport:
    def test_what_is_exported_can_be_imported_as_it_was(
        self, project: FcmProject, tmp_path: Path, suffix: str
    ) -> None:
        make_devices(project, 2, tags={"имя": 'Ана "\\ ,', "n": 1.5}, language="sr-Latn")
        make_devices(project, 1, is_active=False, inactive_reason="stale")
        kept = ("user_id", "address", "platform", "language", "tags", "last_seen_at")
        before = list(DeviceToken.objects.filter(is_active=True).order_by("pk").values(*kept))
        path = tmp_path / f"devices.{suffix}"
        assert devices("export", path) == "2 devices are exported.\n"
        DeviceToken.objects.all().delete()
        devices("import", path)
        assert list(DeviceToken.objects.order_by("address").values(*kept)) == before

    def test_the_file_is_its_owners_alone_and_never_overwritten(
        self, project: FcmProject, tmp_path: Path, suffix: str
    ) -> None:
        make_devices(project, 1, is_active=False, inactive_reason="stale")
        path = tmp_path / f"devices.{suffix}"
        assert json.loads(devices("export", path, "--all", "--json")) == {"exported": 1}
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(CommandError, match="exists") as refused:
            devices("export", path)
        assert refused.value.returncode == 1


@pytest.mark.django_db
class TestPrune:
    def test_devices_not_seen_for_270_days_are_deactivated(self, project: FcmProject) -> None:
        now = timezone.now()
        [stale] = make_devices(project, 1, last_seen_at=now - timedelta(days=270, minutes=1))
        [fresh] = make_devices(project, 1, last_seen_at=now - timedelta(days=269, hours=23))
        assert devices("prune", "--dry-run") == "1 devices are stale.\n"
        stale.refresh_from_db()
        assert stale.is_active
        assert devices("prune") == "1 stale devices are deactivated.\n"
        stale.refresh_from_db()
        fresh.refresh_from_db()
        assert (stale.is_active, stale.inactive_reason) == (False, "stale")
        assert fresh.is_active

    def test_another_age_can_be_named(self, project: FcmProject) -> None:
        make_devices(project, 1, last_seen_at=timezone.now() - timedelta(days=31))
        assert devices("prune", "--days", 32) == "0 stale devices are deactivated.\n"
        assert devices("prune", "--days", 30) == "1 stale devices are deactivated.\n"

    def test_everybody_is_not_pruned_by_a_slip(self) -> None:
        with pytest.raises(CommandError, match="0 is not in the range"):
            devices("prune", "--days", 0)


@pytest.mark.django_db
def test_a_device_or_a_users_devices_are_shown(project: FcmProject) -> None:
    first, second = make_devices(project, 2, user_id="ann", tags={"имя": "Ана"})
    make_devices(project, 1, user_id="bob")
    [shown] = json.loads(devices("show", first.pk, "--json"))
    assert (shown["id"], shown["project"], shown["tags"]) == (
        first.pk,
        "shop-app",
        {"имя": "Ана"},
    )
    assert 'tags          {"имя": "Ана"}' in devices("show", first.pk)
    found = json.loads(devices("show", "--user", "ann", "--json"))
    assert [one["id"] for one in found] == [first.pk, second.pk]
    with pytest.raises(CommandError, match="no such device"):
        devices("show", "--user", "nobody")


@pytest.mark.django_db
def test_devices_are_counted_by_project_platform_and_state(project: FcmProject) -> None:
    make_devices(project, 2)
    make_devices(project, 1, platform="ios", is_active=False, inactive_reason="stale")
    head, _rule, *rows = devices("stats").splitlines()
    assert head.split() == ["project", "platform", "state", "devices"]
    assert [row.split() for row in rows] == [
        ["shop-app", "android", "active", "2"],
        ["shop-app", "ios", "stale", "1"],
    ]
    assert json.loads(devices("stats", "--json"))[1] == {
        "project": "shop-app",
        "platform": "ios",
        "state": "stale",
        "devices": 1,
    }


@pytest.mark.django_db
def test_devices_are_deactivated_at_request(project: FcmProject) -> None:
    first, second, third = make_devices(project, 3)
    assert devices("deactivate", first.pk, second.pk) == "2 devices are deactivated.\n"
    assert list(DeviceToken.objects.filter(is_active=True)) == [third]
    assert devices("deactivate", first.pk) == "0 devices are deactivated.\n"
    with pytest.raises(CommandError, match="no device 0"):
        devices("deactivate", 0)
