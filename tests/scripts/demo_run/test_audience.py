from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial

import pytest

from devices.models import DeviceToken, FcmProject
from scripts.demo_run import audience
from scripts.demo_run.audience import RowReader, address_of, prepare_devices
from scripts.demo_run.errors import DemoError

pytestmark = pytest.mark.django_db(transaction=True)  # VACUUM refuses to run in a transaction


@pytest.fixture
def project() -> FcmProject:
    return FcmProject.objects.create(project_id="pushcore-demo", credentials="file:/none")


def prepare(project: FcmProject, *, count: int, seed: int = 0) -> tuple[int, int]:
    return prepare_devices(
        projects=[project], count=count, seed=seed, on_progress=lambda _done: None
    )


def addresses() -> list[str]:
    return list(DeviceToken.objects.order_by("pk").values_list("address", flat=True))


def test_addresses_look_like_fcms_own_and_follow_from_the_seed() -> None:
    assert re.fullmatch(r"[\w-]{22}:APA91b[\w-]{134}", address_of(0, 0))
    assert address_of(0, 1) == address_of(0, 1)
    assert len({address_of(seed, index) for seed in range(3) for index in range(3)}) == 9


def test_makes_them_in_order_and_tells_how_far_it_is(
    project: FcmProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience, "CHUNK", 100)
    told: list[int] = []
    made = prepare_devices(projects=[project], count=250, seed=0, on_progress=told.append)
    assert made == (0, 250)
    assert told == [0, 100, 200, 250]
    assert addresses() == [address_of(0, index) for index in range(250)]
    platforms = DeviceToken.objects.values_list("platform", flat=True)
    assert [list(platforms).count(one) for one in ("android", "ios", "web")] == [178, 60, 12]
    assert DeviceToken.objects.filter(is_active=True).count() == 250


def test_a_second_run_uses_them_again_all_active_and_makes_only_what_lacks(
    project: FcmProject,
) -> None:
    prepare(project, count=50)
    ids = set(DeviceToken.objects.values_list("pk", flat=True))
    DeviceToken.objects.filter(pk__in=list(ids)[:9]).update(
        is_active=False, inactive_reason="dead_address", inactive_since=datetime.now(UTC)
    )
    assert prepare(project, count=60) == (50, 10)
    assert ids < set(DeviceToken.objects.values_list("pk", flat=True))
    assert addresses() == [address_of(0, index) for index in range(60)]
    assert not DeviceToken.objects.exclude(
        is_active=True, inactive_reason="", inactive_since=None
    ).exists()


@pytest.mark.parametrize(("count", "seed"), [(20, 0), (50, 1), (70, 1), (0, 0)])
def test_fewer_or_others_are_made_anew(project: FcmProject, count: int, seed: int) -> None:
    prepare(project, count=50)
    assert prepare(project, count=count, seed=seed) == (0, count)
    assert addresses() == [address_of(seed, index) for index in range(count)]


def test_devices_of_somebody_else_are_not_touched(project: FcmProject) -> None:
    other = FcmProject.objects.create(project_id="somebodys", credentials="file:/none")
    theirs = DeviceToken.objects.create(
        project=other, user_id="u", address="theirs", platform="ios"
    )
    with pytest.raises(DemoError, match="holds devices of its own"):
        prepare(project, count=5)
    assert list(DeviceToken.objects.values_list("pk", flat=True)) == [theirs.pk]


def test_devices_are_dealt_to_the_projects_in_turn(project: FcmProject) -> None:
    prepare(project, count=7)
    second = FcmProject.objects.create(project_id="pushcore-demo-2", credentials="file:/none")
    both = [project, second]
    deal = partial(prepare_devices, projects=both, seed=0, on_progress=lambda _done: None)
    assert deal(count=7) == (0, 7)  # those of one project are of no use
    owners = list(DeviceToken.objects.order_by("pk").values_list("project_id", flat=True))
    assert owners == [both[index % 2].pk for index in range(7)]
    assert deal(count=9) == (7, 2)
    assert prepare(project, count=9) == (0, 9)


@pytest.mark.parametrize("size", [1, 7, 8192])
def test_rows_are_read_whole_in_any_portion(size: int) -> None:
    reader = RowReader(iter(["first\n", "second\n", "third\n"]))
    read = ""
    while part := reader.read(size):
        assert len(part) <= size
        read += part
    assert read == "first\nsecond\nthird\n"
