from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from devices.models import DeviceToken
from devices.segments.lists import read_list
from devices.segments.models import Membership, Segment, UserList
from tests.cast import NOW, make_devices, make_project
from tests.devices.segments.cast import make_segment

GERMANS = {"field": "country", "op": "eq", "value": "DE"}


def told(command: str, *words: object) -> str:
    """Return what `manage.py COMMAND WORDS…` says."""
    out = StringIO()
    call_command(command, *map(str, words), stdout=out, stderr=StringIO())
    return out.getvalue()


def told_json(command: str, *words: object) -> Any:
    return json.loads(told(command, *words, "--json"))


@pytest.fixture
def germans() -> Segment:
    """A segment of two devices, of three."""
    devices = make_devices(make_project(), 3)
    DeviceToken.objects.filter(pk__in=[one.pk for one in devices[:2]]).update(country="DE")
    return make_segment(GERMANS, name="Germans")


@pytest.mark.django_db
class TestSegments:
    def test_one_is_made_from_a_file_and_flags_go_first(self, tmp_path: Path) -> None:
        path = tmp_path / "segment.yaml"
        path.write_text("name: From the file\nrules: {field: country, op: eq, value: DE}\n")
        made = told_json("segments", "create", "--file", path, "--name", "Typed")
        assert (made["name"], made["kind"], made["rules"]) == ("Typed", "dynamic", GERMANS)
        assert Segment.objects.get().name == "Typed"

    def test_a_static_one_is_evaluated_again_when_it_is_refreshed(self, germans: Segment) -> None:
        static = make_segment(GERMANS, name="Were German", kind="static")
        assert [line.split() for line in told("segments", "list").splitlines()[2:]] == [
            [str(static.pk), "static", "2", "Were", "German"],
            [str(germans.pk), "dynamic", "–", "Germans"],
        ]
        shown = told_json("segments", "refresh", static.pk)
        assert (shown["current"]["size"], shown["under_way"]["status"]) == (2, "waiting")
        assert Membership.objects.count() == 2

    def test_it_is_changed_and_what_is_left_out_stays(self, germans: Segment) -> None:
        changed = told_json("segments", "change", germans.pk, "--description", "By country")
        assert (changed["name"], changed["description"]) == ("Germans", "By country")
        assert told_json("segments", "show", germans.pk)["rules"] == GERMANS

    def test_it_is_estimated_saved_or_not(self, germans: Segment) -> None:
        everybody = {"not": GERMANS}
        assert told_json("segments", "estimate", germans.pk)["total"] == 2
        assert told_json("segments", "estimate", "--rules", json.dumps(everybody))["total"] == 1
        assert told("segments", "estimate", germans.pk).splitlines()[0] == "devices     2"
        assert len(told_json("segments", "sample", germans.pk)) == 2
        assert not Segment.objects.exclude(pk=germans.pk).exists()

    def test_deleting_asks_first(self, germans: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", StringIO("n\n"))
        with pytest.raises(CommandError, match=r"^Nothing was done"):
            told("segments", "delete", germans.pk)
        assert Segment.objects.exists()
        assert told("segments", "delete", germans.pk, "-y") == (
            "The segment “Germans” is deleted.\n"
        )
        assert not Segment.objects.exists()

    @pytest.mark.parametrize(
        ("words", "code", "reason"),
        [
            (["create", "--name", "x"], 1, "^rules: "),
            (["create", "--name", "x", "--rules", '{"field": "shoe"}'], 1, "^rules: A condition"),
            (["create", "--name", "Germans", "--rules", json.dumps(GERMANS)], 1, "^There is one"),
            (["show", 404], 3, "^There is no segment 404"),
            (["refresh", 404], 3, "^There is no segment 404"),
        ],
    )
    @pytest.mark.usefixtures("germans")
    def test_what_makes_no_sense_is_refused(
        self, words: list[object], code: int, reason: str
    ) -> None:
        with pytest.raises(CommandError, match=reason) as refusal:
            told("segments", *words)
        assert refusal.value.returncode == code
        assert Segment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker")
class TestLists:
    @pytest.fixture(autouse=True)
    def _folder(self, settings: Settings, tmp_path: Path) -> None:
        settings.IMPORT_FOLDER = str(tmp_path / "imports")

    @pytest.fixture
    def vips(self, tmp_path: Path) -> UserList:
        """A list of two users that is read, with a line that was rejected."""
        path = tmp_path / "vips.csv"
        path.write_text("user_id\nann\nbob\nann\n" + "x" * 300 + "\n")
        made = told_json("userlists", "create", "vips", path)
        assert (made["status"], made["file_format"]) == ("waiting", "csv")
        read_list(list_id=made["id"], clock=lambda: NOW)
        return UserList.objects.get()

    def test_a_file_is_taken_in_and_its_account_shown(self, vips: UserList) -> None:
        shown = told_json("userlists", "show", vips.pk)
        assert {name: shown[name] for name in ("rows", "size", "rejected", "repeated")} == {
            "rows": 4,
            "size": 2,
            "rejected": 1,
            "repeated": 1,
        }
        assert [one["name"] for one in told_json("userlists", "list")] == ["vips"]
        assert "completed" in told("userlists", "list")

    def test_rejects_are_written_as_they_are_kept(
        self, vips: UserList, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        told("userlists", "rejects", vips.pk)
        lines = capfdbinary.readouterr().out.decode().splitlines()
        assert lines[0] == "line,reason,row"
        assert lines[1].startswith("5,")

    def test_one_that_a_segment_needs_stays(self, vips: UserList) -> None:
        rules = {"field": "user_id", "op": "in_list", "value": vips.pk}
        segment = make_segment(rules)
        with pytest.raises(CommandError, match="is used by") as refusal:
            told("userlists", "delete", vips.pk, "--yes")
        assert refusal.value.returncode == 1
        segment.delete()
        assert told("userlists", "delete", vips.pk, "--yes") == "The list “vips” is deleted.\n"
        assert not UserList.objects.exists()

    def test_what_can_not_be_taken_is_told(self, vips: UserList, tmp_path: Path) -> None:
        path = tmp_path / "ids"
        path.write_text("ann\n")
        for words, code, reason in [
            (["create", "more", path], 1, "Say what the file is"),
            (["create", "vips", path, "--format", "text"], 1, "There is one called 'vips'"),
            (["create", "more", tmp_path / "none.txt"], 1, "No such file"),
            (["show", 404], 3, "There is no list 404"),
        ]:
            with pytest.raises(CommandError, match=reason) as refusal:
                told("userlists", *words)
            assert refusal.value.returncode == code
        assert UserList.objects.get() == vips
