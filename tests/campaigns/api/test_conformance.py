"""Every route under requests made from its own description: no fault of ours, no surprise.

There are real rows of everything, so that requests meet more than 404; each request's effects are
taken back. What a route answers must be what the description says of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pytest_django import Settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from campaigns.access.keys import create_key
from campaigns.access.scopes import Scope
from campaigns.notifications.channels import create_channel
from campaigns.schedules.services import create_schedule
from devices.models import DeviceImport, FcmProject
from devices.segments.models import UserList
from devices.segments.services import create_segment
from settings.wsgi import application
from tests.cast import NOW, make_campaign, make_devices, make_project, start_and_plan

load_all_checks()
PROMISES = [
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance"),
]
CHECKED: Any = CHECKS.get_by_names(PROMISES)
Ids = Mapping[str, list[int]]


@pytest.fixture
def rows(db: None) -> dict[str, list[int]]:
    """Ids of what there is, by the first part of the path."""
    user = get_user_model().objects.create_user("ann", is_superuser=True)
    project: FcmProject = make_project(project_id="shop-app")
    device, *_ = make_devices(project, 3, country="BR", tags={"plan": "pro"})
    draft, sent = make_campaign(), make_campaign(title="Sent")
    start_and_plan(sent)
    rules = {"field": "country", "op": "eq", "value": "BR"}
    segment = create_segment(user=user, now=NOW, name="Brazil", kind="dynamic", rules=rules)
    plan: dict[str, Any] = {
        "name": "Weekly",
        "cron": "0 9 * * 1",
        "timezone": "UTC",
        "campaign_id": draft.pk,
    }
    schedule = create_schedule(user=user, now=NOW, **plan)
    channel, _ = create_channel(
        user=user,
        now=NOW,
        name="me",
        kind="email",
        target="me@example.com",
        events=["campaign.failed"],
    )
    upload = {"total_bytes": 0, "created_by": user, "created_at": NOW, "updated_at": NOW}
    record = DeviceImport.objects.create(file_format="csv", **upload)
    users = UserList.objects.create(name="winners", file_format="text", **upload)
    key, _ = create_key(owner=user, now=NOW, name="x", scopes=[Scope.ADMIN], expires_at=None)
    return {
        "campaigns": [draft.pk, sent.pk],
        "devices": [device.pk],
        "imports": [record.pk],
        "segments": [segment.pk],
        "schedules": [schedule.pk],
        "notification-channels": [channel.pk],
        "user-lists": [users.pk],
        "api-keys": [key.pk],
    }


@pytest.fixture
def api_key(rows: Ids) -> str:
    owner = get_user_model().objects.get()
    _, text = create_key(owner=owner, now=NOW, name="all", scopes=list(Scope), expires_at=None)
    return text


@pytest.fixture(autouse=True)
def _at_home(settings: Settings, tmp_path: Any) -> None:
    """No budget runs out, and whatever would be sent is sent to nobody."""
    settings.API_UNITS_PER_MINUTE = 0
    settings.FCM_ENDPOINT = "https://127.0.0.1:1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    settings.IMPORT_FOLDER = str(tmp_path)


def operations() -> Iterator[Any]:
    generator: Any = SchemaGenerator
    description = generator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(description)
    schema.app = application
    found: Any
    for found in schema.get_all_operations():
        yield found.ok()


def aim(case: Case[Any], rows: Ids, choice: int) -> None:
    """Let the request meet a row that is there, three times of four."""
    parts = case.path.strip("/").split("/")
    kind = next((part for part in reversed(parts) if part in rows), None)
    if kind and "id" in (case.path_parameters or {}) and choice % 4:
        case.path_parameters["id"] = str(rows[kind][choice % len(rows[kind])])


def try_out(operation: Any, mode: GenerationMode, count: int, *, rows: Ids, api_key: str) -> None:
    @hypothesis_settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), choice=st.integers(0, 11))
    def one(case: Case[Any], choice: int) -> None:
        aim(case, rows, choice)
        with transaction.atomic():
            answer = case.call(headers={"Authorization": f"Api-Key {api_key}"})
            transaction.set_rollback(True)
        case.validate_response(answer, checks=CHECKED)

    one()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("in_one_connection")
@pytest.mark.parametrize(
    ("mode", "count"), [(GenerationMode.POSITIVE, 6), (GenerationMode.NEGATIVE, 4)]
)
def test_no_route_fails_or_answers_what_its_description_does_not_say(
    rows: Ids, api_key: str, mode: GenerationMode, count: int
) -> None:
    tried = 0
    for operation in operations():
        try:
            try_out(operation, mode, count, rows=rows, api_key=api_key)
            tried += 1
        except Unsatisfiable:
            continue  # nothing can be wrong with a request that says nothing
        except BaseException as failure:
            failure.add_note(f"{operation.method.upper()} {operation.path}")
            raise
    assert tried > 50
