"""What docs/api.md has people type works as it is printed."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.cast import make_project

pytestmark = pytest.mark.django_db

_HOST = "https://push.example.com"
_ROW = 'ann,fGcAnother:APA91bExample,ios,"{""plan"": ""pro""}"'
_FILE = f"user_id,address,platform,tags\n{_ROW}\n"


class Call(NamedTuple):
    method: str
    address: str
    body: str
    content_type: str

    @classmethod
    def of(cls, words: list[str]) -> Call:
        """Read a command line of curl."""
        given = dict(pairwise(words))
        headers = [words[at + 1] for at, word in enumerate(words) if word == "-H"]
        types = [one.partition(": ")[2] for one in headers if one.startswith("Content-Type")]
        assert any(one.startswith("Authorization: Api-Key ") for one in headers)
        body = given.get("-d", _FILE if "--data-binary" in given else "")
        [url] = [word for word in words if word.startswith(_HOST)]
        return cls(given.get("-X", "GET"), url.removeprefix(_HOST), body, "".join(types))


def printed_calls() -> list[Call]:
    text = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ")
    commands = re.findall(r"^curl (?:[^'\n]|'[^']*')*", lines, re.MULTILINE)
    return [Call.of(shlex.split(command)) for command in commands]


def test_every_command_is_answered_well(
    staff: APIClient, settings: Settings, tmp_path: Path
) -> None:
    settings.IMPORT_FOLDER = str(tmp_path)
    make_project()
    answered = {}
    for method, address, body, content_type in printed_calls():
        answer: Any = staff.generic(method, address, body, content_type=content_type)
        answered[f"{method} {address}"] = answer.status_code
    assert answered == {
        "GET /api/campaigns/": 200,
        "POST /api/campaigns/": 201,
        "POST /api/devices/": 201,
        "POST /api/devices/imports/": 202,
        "POST /api/segments/": 201,
    }
