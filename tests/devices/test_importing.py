from __future__ import annotations

import csv
import gc
import io
import json
from typing import Any

import pytest
from django.db import IntegrityError, connection
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import staging
from devices.columns import Line, copy_columns, copy_text
from devices.importing import Progress, _copy_line, import_devices
from devices.merging import Merged
from devices.models import DeviceToken, FcmProject
from devices.projects import UnknownProject
from devices.reading import FileFormat, FileRefused
from devices.rules import RowRefused, RowRules
from tests.cast import NOW, make_devices, make_project, seconds_later
from tests.concurrency import run_at_once

HEADER = "user_id,address,platform,app_version\n"


@pytest.fixture
def project() -> FcmProject:
    return make_project(project_id="shop-app")


def rows(numbers: range, version: str = "1.0") -> str:
    return "".join(f"user{number},a{number},web,{version}\n" for number in numbers)


def load(text: str | bytes, **options: Any) -> Progress:
    data = text if isinstance(text, bytes) else text.encode()
    defaults: dict[str, Any] = {
        "file_format": FileFormat.CSV,
        "project": None,
        "rejects": None,
        "now": NOW,
    }
    return import_devices(source=io.BytesIO(data), **defaults | options)


def staging_tables() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'devices_staging%'")
        [count] = cursor.fetchone()
        return int(count)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("project")
class TestImport:
    def test_every_row_of_a_new_file_is_created(self) -> None:
        text = HEADER + rows(range(1_000))
        done = load(text)
        assert done == Progress(len(text), 1_000, 0, Merged(created=1_000))
        device = DeviceToken.objects.get(address="a7")
        assert (device.user_id, device.app_version, device.platform) == ("user7", "1.0", "web")
        assert (device.created_at, device.last_seen_at, device.tags) == (NOW, NOW, {})
        assert DeviceToken.objects.count() == 1_000

    def test_running_it_again_changes_nothing(self) -> None:
        load(HEADER + rows(range(100)))
        before = list(DeviceToken.objects.order_by("pk").values())
        done = load(HEADER + rows(range(100)), now=seconds_later(9))
        assert done.merged == Merged(unchanged=100)
        assert list(DeviceToken.objects.order_by("pk").values()) == before

    def test_what_differs_is_updated_and_what_is_new_created(self) -> None:
        load(HEADER + rows(range(100)))
        text = HEADER + rows(range(10, 20)) + rows(range(20, 50), "2.0") + rows(range(100, 105))
        assert load(text).merged == Merged(created=5, updated=30, unchanged=10)
        assert DeviceToken.objects.filter(app_version="2.0").count() == 30

    def test_of_the_rows_of_one_address_the_last_wins(self) -> None:
        text = HEADER + "ann,a1,web,1\n" + rows(range(2, 5)) + "bob,a1,web,2\ncleo,a1,web,\n"
        assert load(text).merged == Merged(created=4, repeated=2)
        device = DeviceToken.objects.get(address="a1")
        assert (device.user_id, device.app_version) == ("cleo", "")

    def test_the_last_wins_however_far_apart_the_rows_are_merged(
        self, project: FcmProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(staging, "_RANGE_ROWS", 50)
        make_devices(project, 1, address="a7", app_version="0")  # so that all goes through staging
        text = HEADER + rows(range(2_000)) + rows(range(0, 2_000, 500), "2") + rows(range(7, 8))
        assert load(text).merged == Merged(created=1_999, updated=1, repeated=5)
        newest = DeviceToken.objects.filter(app_version="2").values_list("address", flat=True)
        assert sorted(newest) == ["a0", "a1000", "a1500", "a500"]

    def test_an_empty_cell_and_a_missing_column_say_nothing(self, project: FcmProject) -> None:
        make_devices(project, 1, address="a1", app_version="3", country="BR", last_seen_at=NOW)
        load("user_id,address,platform,app_version,tags\nann,a1,web,,\n", now=seconds_later(5))
        device = DeviceToken.objects.get()
        assert (device.user_id, device.platform) == ("ann", "web")
        assert (device.app_version, device.country, device.last_seen_at) == ("3", "BR", NOW)

    def test_every_column_is_stored(self, project: FcmProject) -> None:
        names = "project,user_id,address,address_kind,platform,language,country,timezone"
        values = 'shop-app,"a ""b"", \\N\\t",x\\y,fid,ios,pt_br,br,America/Sao_Paulo'
        text = (
            f"{names},app_version,tags,last_seen_at\n"
            f'{values},2.0,"{{""plan"": ""pro\\n"", ""age"": 7}}",2026-02-01T10:00:00+02:00\n'
        )
        assert load(text).merged == Merged(created=1)
        device = DeviceToken.objects.get()
        assert (device.project, device.user_id, device.address) == (
            project,
            'a "b", \\N\\t',
            "x\\y",
        )
        assert (device.address_kind, device.platform) == ("fid", "ios")
        assert (device.language, device.country) == ("pt-BR", "BR")
        assert (device.timezone, device.app_version) == ("America/Sao_Paulo", "2.0")
        assert device.tags == {"plan": "pro\n", "age": 7}
        assert device.last_seen_at.isoformat() == "2026-02-01T08:00:00+00:00"

    def test_ndjson_is_imported_alike(self) -> None:
        lines = [{"user_id": "ann", "address": f"a{n}", "platform": "ios"} for n in range(50)]
        lines[7]["app_version"] = "\t\\N\n"
        text = "\n".join(map(json.dumps, lines))
        assert load(text, file_format=FileFormat.NDJSON).merged == Merged(created=50)

    def test_bad_rows_are_told_of_and_the_good_ones_kept(self) -> None:
        rejects = io.StringIO()
        text = HEADER + "ann,a1,web,1\nbob,two words,symbian,1\ncleo,a3\n,a4,web,\ndan,a5,ios,\n"
        done = load(text, rejects=rejects)
        assert (done.rows, done.rejected, done.merged) == (5, 3, Merged(created=2))
        assert list(csv.reader(io.StringIO(rejects.getvalue()))) == [
            ["line", "field", "reason", "row"],
            ["3", "platform", "Must be one of android, ios, web.", "bob,two words,symbian,1"],
            [
                "3",
                "address",
                "Must be of printable ASCII characters without blanks.",
                "bob,two words,symbian,1",
            ],
            ["4", "", "Has 2 values, the header names 4 columns.", "cleo,a3"],
            ["5", "user_id", "This field is required.", ",a4,web,"],
        ]

    def test_a_file_of_bad_rows_only_changes_nothing(self) -> None:
        done = load(HEADER + "ann,a1,symbian,\n" * 5_000 + "bob,,web,\n")
        assert (done.rows, done.rejected, done.merged) == (5_001, 5_001, Merged())

    def test_good_rows_after_many_bad_ones_are_not_lost(self) -> None:
        text = HEADER + "ann,a1,symbian,\n" * 20_000 + rows(range(3))
        assert load(text).merged == Merged(created=3)

    def test_rows_may_name_their_project(self, project: FcmProject) -> None:
        other = make_project(project_id="other-app")
        text = "project,user_id,address,platform\nother-app,ann,a1,web\n,bob,a1,web\n"
        done = load(text, project="shop-app")
        assert done.merged == Merged(created=2)
        users = dict(DeviceToken.objects.values_list("user_id", "project__project_id"))
        assert users == {"ann": other.project_id, "bob": project.project_id}

    def test_a_project_that_is_not_there_is_refused(self) -> None:
        with pytest.raises(UnknownProject, match="nobodys"):
            load(HEADER, project="nobodys")

    def test_a_device_comes_back_only_if_the_file_says_that_it_was_seen_since(
        self, project: FcmProject
    ) -> None:
        dead = {"is_active": False, "inactive_reason": "dead_address", "inactive_since": NOW}
        make_devices(project, 1, address="a1", last_seen_at=NOW, **dead)
        make_devices(project, 1, address="a2", last_seen_at=NOW, **dead)
        load(
            "user_id,address,platform,last_seen_at\nann,a1,web,2026-03-01T12:00:01Z\n"
            "bob,a2,web,2026-03-01T11:59:59Z\n",
            now=seconds_later(60),
        )
        active = dict(DeviceToken.objects.values_list("address", "is_active"))
        assert active == {"a1": True, "a2": False}

    def test_the_garbage_collector_works_as_before_when_it_is_over(self) -> None:
        before = gc.get_threshold()
        heard: list[int] = []
        load(HEADER + rows(range(10)), on_progress=lambda _: heard.append(gc.get_threshold()[0]))
        assert set(heard) == {100_000}
        with pytest.raises(FileRefused):
            load("name\nann\n")
        assert gc.get_threshold() == before

    def test_nothing_is_left_in_staging(self) -> None:
        load(HEADER + rows(range(10)))
        assert staging_tables() == 0

    def test_a_failure_while_reading_leaves_nothing_in_staging(self) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell() > 0:
                    raise OSError("the disk is gone")
                return super().read(20 + len(HEADER))

        with pytest.raises(OSError, match="the disk is gone"):
            import_devices(
                source=Broken((HEADER + rows(range(100))).encode()),
                file_format=FileFormat.CSV,
                project=None,
                rejects=None,
                now=NOW,
            )
        assert (staging_tables(), DeviceToken.objects.count()) == (0, 0)

    def test_an_error_of_the_database_while_staging_is_told_by_djangos_class(
        self, project: FcmProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_devices(project, 1)  # so that all goes through staging
        create = staging._CREATE.replace("platform text", "platform text CHECK (false)")
        monkeypatch.setattr(staging, "_CREATE", create)
        with pytest.raises(IntegrityError, match=r"devices_staging_.* violates check"):
            load(HEADER + rows(range(10)))
        assert (staging_tables(), DeviceToken.objects.count()) == (0, 1)

    def test_the_tables_of_killed_processes_are_dropped(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE UNLOGGED TABLE devices_staging_of_the_dead ()")
        load(HEADER + rows(range(10)))
        assert staging_tables() == 0

    def test_a_file_that_is_none_of_devices_changes_nothing(self) -> None:
        with pytest.raises(FileRefused):
            load("name\nann\n")
        assert staging_tables() == 0

    def test_progress_goes_up_to_the_end(self) -> None:
        heard: list[Progress] = []
        done = load(HEADER + rows(range(60_000)), on_progress=heard.append)
        counts = [(one.bytes_read, one.rows, one.merged.created) for one in heard]
        assert counts == sorted(counts)
        assert heard[-1] == done
        assert (done.rows, done.merged.created) == (60_000, 60_000)
        assert len({one.merged.created for one in heard}) >= 2

    def test_two_imports_of_one_file_at_once_make_each_device_once(self) -> None:
        text = HEADER + rows(range(20_000))
        done = run_at_once(2, lambda: load(text).merged)
        assert sum(merged.created for merged in done) == 20_000
        assert sum(merged.unchanged for merged in done) == 20_000
        assert DeviceToken.objects.count() == 20_000

    def test_imports_of_the_same_devices_in_opposite_order_do_not_deadlock(self) -> None:
        load(HEADER + rows(range(20_000)))
        texts = [HEADER + rows(range(20_000), "2"), HEADER + rows(range(20_000), "3")]
        texts[1] = HEADER + "".join(sorted(texts[1].splitlines(keepends=True)[1:], reverse=True))
        done = run_at_once(2, lambda: load(texts.pop()).merged)
        assert [merged.updated for merged in done] == [20_000, 20_000]
        assert DeviceToken.objects.values("app_version").distinct().count() in (1, 2)


RULES = RowRules(projects={"shop-app": 7}, default_project="shop-app", now=NOW)
ODD = ["", " ann ", "x\\y", "\\N", "a\tb", "\x00", "ș🦊", "a b", "x" * 300, "{"]
USUAL = ["en", "de_de", "BR", "Europe/Berlin", '{"a":1}', "2026-02-01T10:00:00Z"]
CELLS = st.sampled_from([*ODD, *USUAL])
NAMES = ["user_id", "address", "platform", "language", "country", "timezone", "tags"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "", "a b", "x\\y", "ș"]),
            st.sampled_from(["a1", "a2", "x\\y", "a b", ""]),
            st.sampled_from(["web", "ios"]),
            *[CELLS for _ in NAMES[3:]],
        ),
        min_size=1,
        max_size=4,
    )
)
def test_columns_are_judged_as_their_rows_are(table: list[tuple[str, ...]]) -> None:
    columns = dict(zip(NAMES, zip(*table, strict=True), strict=True))
    at_once = copy_columns(columns, RULES)
    one_by_one: list[Line] | None = []
    for cells in table:
        row = dict(zip(NAMES, [cell or None for cell in cells], strict=True))
        try:
            assert one_by_one is not None
            one_by_one.append(_copy_line(RULES.check(row)))
        except RowRefused:
            one_by_one = None
            break
    if at_once is not None:
        assert one_by_one is not None
        assert at_once == one_by_one


def test_usual_columns_are_taken_at_once() -> None:
    row = ("ann", "a1", "web", "de_de", "", "", "")
    columns = dict(zip(NAMES, zip(*[row, row], strict=True), strict=True))
    facts = "7\tweb\t\\N\tde-DE\t\\N\t\\N\t\\N"
    lines = copy_columns(columns, RULES)
    assert lines == [(facts, "ann", "a1", "\\N", "\\N")] * 2
    assert copy_text(lines) == f"{facts}\tann\ta1\t\\N\t\\N\n" * 2
