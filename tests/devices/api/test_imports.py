from __future__ import annotations

import csv
import io
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from devices import imports
from devices.models import DeviceImport, DeviceToken, FcmProject
from devices.reading import FileFormat
from devices.uploads import UploadCutShort, forget_old_files
from tests.answers import complaints_in
from tests.cast import make_project, seconds_later
from tests.devices.api.conftest import send_bytes
from tests.devices.conftest import Clock

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("project", "import_folder", "broker"),
]
PATH = "/api/devices/imports/"
FILE = b"user_id,address,platform\nann,a1,web\nbob,a2,symbian\ncleo,a3,ios\n"


def upload(
    staff: APIClient, body: bytes = FILE, *, query: str = "", content_type: str = "text/csv"
) -> Any:
    return send_bytes(staff, PATH + query, body, content_type=content_type)


def run_all(clock: Clock) -> None:
    for import_id in DeviceImport.objects.values_list("pk", flat=True):
        imports.run_import(import_id=import_id, clock=clock)


def test_a_file_is_taken_with_202_and_waits_for_a_worker(
    staff: APIClient, staff_user: User, import_folder: Path
) -> None:
    answer = upload(staff)
    body = answer.json()
    record = DeviceImport.objects.get()
    created_at = body.pop("created_at")
    assert answer.status_code == 202
    assert created_at == record.created_at.isoformat().replace("+00:00", "Z")
    assert body == {
        "id": record.pk,
        "status": "waiting",
        "failure": "",
        "file_format": "csv",
        "project": None,
        "total_bytes": len(FILE),
        "bytes_read": 0,
        "rows": 0,
        "rejected": 0,
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "repeated": 0,
        "rejects": None,
        "created_by": staff_user.pk,
        "finished_at": None,
    }
    [stored] = import_folder.iterdir()
    assert (stored.name, stored.read_bytes()) == (f"{record.pk}.upload", FILE)
    assert stat.S_IMODE(import_folder.stat().st_mode) == 0o700


def test_a_worker_is_told_on_the_queue_for_what_can_wait(staff: APIClient) -> None:
    upload(staff)
    with current_app.connection_for_read() as connection:
        message = connection.SimpleQueue("low_priority").get(timeout=5)
        message.ack()
    assert message.headers["task"] == "devices.run_import"
    assert message.payload[0] == [DeviceImport.objects.get().pk]


def test_an_import_ends_with_the_account_and_the_rejects(
    staff: APIClient, import_folder: Path, clock: Clock
) -> None:
    import_id = upload(staff).json()["id"]
    run_all(clock)
    body = staff.get(f"{PATH}{import_id}/").json()
    assert (body["status"], body["rows"], body["rejected"], body["created"]) == (
        "completed",
        3,
        1,
        2,
    )
    assert body["bytes_read"] == len(FILE)
    assert body["rejects"] == f"http://testserver{PATH}{import_id}/rejects/"
    rejects: Any = staff.get(body["rejects"])
    text = b"".join(rejects.streaming_content).decode()
    assert rejects["Content-Type"] == "text/csv"
    assert list(csv.reader(io.StringIO(text))) == [
        ["line", "field", "reason", "row"],
        ["3", "platform", "Must be one of android, ios, web.", "bob,a2,symbian"],
    ]
    assert sorted(DeviceToken.objects.values_list("user_id", flat=True)) == ["ann", "cleo"]
    assert [path.name for path in import_folder.iterdir()] == [f"{import_id}.rejects.csv"]


def test_ndjson_is_taken_by_its_type(staff: APIClient, clock: Clock) -> None:
    line = b'{"user_id": "ann", "address": "a1", "platform": "web", "tags": {"plan": "pro"}}\n'
    answer = upload(staff, line, content_type="application/x-ndjson")
    run_all(clock)
    assert (answer.status_code, answer.json()["file_format"]) == (202, "ndjson")
    assert DeviceToken.objects.get().tags == {"plan": "pro"}


def test_the_project_of_the_rows_can_be_named(staff: APIClient, clock: Clock) -> None:
    other: FcmProject = make_project(project_id="other-app")
    assert upload(staff, query="?project=other-app").json()["project"] == "other-app"
    run_all(clock)
    assert DeviceToken.objects.get(address="a1").project == other


def test_an_unknown_project_is_refused(staff: APIClient, import_folder: Path) -> None:
    answer = upload(staff, query="?project=nobodys")
    assert (answer.status_code, list(complaints_in(answer.json()))) == (400, ["project"])
    assert not DeviceImport.objects.exists()
    assert not import_folder.exists()


def test_a_file_that_is_too_large_leaves_nothing_behind(
    staff: APIClient, settings: Settings, import_folder: Path
) -> None:
    settings.IMPORT_MAX_BYTES = len(FILE) - 1
    assert upload(staff).status_code == 413
    assert not DeviceImport.objects.exists()
    assert not import_folder.exists()


def test_a_file_that_arrives_in_part_leaves_nothing_behind(
    import_folder: Path, clock: Clock
) -> None:
    with pytest.raises(UploadCutShort, match="Only 10 of 11 bytes"):
        imports.take_upload(
            stream=io.BytesIO(b"0123456789"),
            size=11,
            file_format=FileFormat.CSV,
            project=None,
            user_id=None,
            now=clock(),
        )
    assert not DeviceImport.objects.exists()
    assert list(import_folder.iterdir()) == []


def test_an_empty_body_is_refused(staff: APIClient) -> None:
    assert upload(staff, b"").status_code == 400
    assert not DeviceImport.objects.exists()


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/x"])
def test_another_type_is_415(staff: APIClient, kind: str) -> None:
    assert upload(staff, content_type=kind).status_code == 415


def test_a_file_that_is_none_of_devices_fails_with_the_reason(
    staff: APIClient, clock: Clock
) -> None:
    import_id = upload(staff, b"name,phone\n").json()["id"]
    run_all(clock)
    body = staff.get(f"{PATH}{import_id}/").json()
    assert body["status"] == "failed"
    assert body["failure"].startswith("There is no column 'name'.")


def test_a_message_that_comes_again_changes_nothing(staff: APIClient, clock: Clock) -> None:
    upload(staff)
    run_all(clock)
    before = DeviceImport.objects.values().get()
    run_all(clock)
    assert DeviceImport.objects.values().get() == before


def test_an_import_whose_worker_was_killed_begins_again(staff: APIClient, clock: Clock) -> None:
    upload(staff)
    DeviceImport.objects.update(status="running", attempts=1, rows=1)
    run_all(clock)
    record = DeviceImport.objects.get()
    assert (record.status, record.rows, record.attempts) == ("completed", 3, 2)


def test_only_one_worker_imports_a_file(staff: APIClient, clock: Clock) -> None:
    import_id = upload(staff).json()["id"]
    with imports.sole_worker(import_id) as alone:
        assert alone
        run_all(clock)
        assert DeviceImport.objects.get().status == "waiting"


def test_an_upload_that_is_gone_fails_the_import(
    staff: APIClient, import_folder: Path, clock: Clock
) -> None:
    import_id = upload(staff).json()["id"]
    DeviceImport(pk=import_id).file_path.unlink()
    run_all(clock)
    assert DeviceImport.objects.get().failure == "The uploaded file is not there any more."


def test_an_import_that_nobody_touches_is_published_again(staff: APIClient, clock: Clock) -> None:
    import_id = upload(staff).json()["id"]
    DeviceImport.objects.update(updated_at=clock())
    assert imports.resume_imports(now=seconds_later(60)) == []
    assert imports.resume_imports(now=seconds_later(61)) == [import_id]
    run_all(clock)
    assert imports.resume_imports(now=seconds_later(9_999)) == []


@pytest.mark.usefixtures("broker_is_away")
def test_a_broker_that_is_away_delays_an_import_and_loses_none(staff: APIClient) -> None:
    assert upload(staff).status_code == 202
    assert DeviceImport.objects.get().status == "waiting"


def test_imports_are_listed_the_newest_first(staff: APIClient) -> None:
    ids = [upload(staff).json()["id"] for _ in range(3)]
    listed = staff.get(PATH).json()["results"]
    assert [one["id"] for one in listed] == ids[::-1]


@pytest.mark.parametrize("path", ["0/", "0/rejects/", "999999999999999999/"])
def test_an_import_that_is_not_there_is_404(staff: APIClient, path: str) -> None:
    assert staff.get(PATH + path).status_code == 404


def test_rejects_are_offered_until_they_are_deleted(staff: APIClient, clock: Clock) -> None:
    import_id = send_bytes(staff, PATH, FILE, content_type="text/csv").json()["id"]
    imports.run_import(import_id=import_id, clock=clock)
    path = f"{PATH}{import_id}/"
    assert staff.get(path).json()["rejects"] == f"http://testserver{path}rejects/"
    tomorrow_in_a_year = datetime.now(UTC) + timedelta(days=366)
    assert forget_old_files(now=tomorrow_in_a_year) == 1
    assert staff.get(path).json()["rejects"] is None
    assert staff.get(f"{path}rejects/").status_code == 404
