from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.binary import _meant
from devices.columns import copy_value
from devices.importing import import_devices
from devices.merging import Merged
from devices.models import DeviceToken
from devices.reading import FileFormat
from tests.cast import NOW, make_devices, make_project

FIELDS = [
    field.name for field in DeviceToken._meta.concrete_fields if field.name not in {"id", "project"}
]
UNUSUAL: list[dict[str, object]] = [
    {"user_id": "ann"},
    {"user_id": r"\N"},
    {"user_id": "a\\b \\t \\\\n"},
    {"user_id": "Ünïcödé 🚀 مرحبا \u200f"},
    {"user_id": "🚀" * 255},
    {"user_id": "u" * 255, "address": "x" * 4096},
    {"address": "back\\slash"},
    {"app_version": "1.0\\t", "country": "br", "language": "pt_BR", "timezone": "Asia/Tokyo"},
    {"app_version": ""},
    {"platform": "web", "address_kind": "fid"},
    {"tags": {"plan": 'pro\n\t\\"', "é🚀": "\\N", "age": 7, "ok": True, "sum": -1.5}},
    {"tags": {}, "last_seen_at": "2000-01-01T00:00:00Z"},
    {"last_seen_at": "2026-01-31T23:59:59.999999-11:30"},
]


def load(given_rows: list[dict[str, object]]) -> Merged:
    rows = [
        {"user_id": "bob", "address": f"a{number}", "platform": "ios"} | row
        for number, row in enumerate(given_rows)
    ]
    return import_devices(
        source=io.BytesIO("\n".join(map(json.dumps, rows)).encode()),
        file_format=FileFormat.NDJSON,
        project=None,
        rejects=None,
        now=NOW,
    ).merged


def stored() -> list[dict[str, object]]:
    return list(DeviceToken.objects.exclude(address="other").order_by("address").values(*FIELDS))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("given_rows", [UNUSUAL, [{"user_id": "Zoë"}]])
def test_rows_copied_straight_say_what_merged_ones_say(
    given_rows: list[dict[str, object]],
) -> None:
    project = make_project(project_id="shop-app")
    assert load(given_rows) == Merged(created=len(given_rows))
    copied = stored()

    DeviceToken.objects.all().delete()
    make_devices(project, 1, address="other")  # now they go through staging, as text
    assert load(given_rows) == Merged(created=len(given_rows))

    assert copied == stored()
    users = {row.get("user_id", "bob") for row in given_rows}
    assert {row["user_id"] for row in copied} == users


@given(st.text())
def test_what_is_escaped_for_text_is_meant_again(value: str) -> None:
    assert _meant(copy_value(value)) == value
