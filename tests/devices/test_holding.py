from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, transaction

from devices.holding import hold_projects
from devices.models import DeviceToken, FcmProject
from tests.cast import make_project
from tests.concurrency import in_own_connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> FcmProject:
    return make_project(project_id="shop-app")


def rests(project: FcmProject, *others: int) -> bool:
    """Tell whether the foreign key's trigger would rest in this transaction."""
    with connection.cursor() as cursor:
        hold_projects(cursor, [project.pk, *others])
        cursor.execute("SELECT current_setting('session_replication_role')")
        [role] = cursor.fetchone()
        return bool(role == "replica")


@pytest.fixture
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_the_key_to_the_project_is_all_that_rests() -> None:
    keys = [field.name for field in DeviceToken._meta.concrete_fields if field.is_relation]
    assert keys == ["project"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'devices_devicetoken'::regclass"
            " AND condeferrable"
        )
        assert len(cursor.fetchall()) == 1  # others that can be deferred are triggers too


def test_while_it_rests_the_project_can_not_be_deleted(project: FcmProject) -> None:
    def delete() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
            cursor.execute("DELETE FROM devices_fcmproject")

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert rests(project)
        with pytest.raises(OperationalError, match="lock timeout"):
            pool.submit(in_own_connection, delete).result()


@pytest.mark.usefixtures("rolled_back")
def test_it_goes_on_checking_where_a_project_has_gone(project: FcmProject) -> None:
    assert not rests(project, project.pk + 1)


@pytest.mark.usefixtures("rolled_back")
def test_it_goes_on_checking_where_the_role_may_not_let_it_rest(project: FcmProject) -> None:
    with connection.cursor() as cursor:
        cursor.execute("GRANT UPDATE ON devices_fcmproject TO pg_read_all_data")
        cursor.execute("SET LOCAL ROLE pg_read_all_data")
    assert not rests(project)


@pytest.mark.usefixtures("rolled_back")
def test_triggers_of_others_do_not_rest(project: FcmProject) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER mine BEFORE UPDATE ON devices_devicetoken"
            " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
    assert not rests(project)
