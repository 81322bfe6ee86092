"""The folder and the broker of imports, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from celery import current_app
from pytest_django import Settings

from tests.cast import NOW

Clock = Callable[[], datetime]


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return lambda: NOW


@pytest.fixture
def broker() -> Iterator[None]:
    """The real broker, its queue for what can wait empty before and after."""
    with current_app.connection_for_read() as connection:
        queue = connection.SimpleQueue("low_priority")
        queue.clear()
        yield
        queue.clear()
        queue.close()


@pytest.fixture
def broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to publish find nobody listening."""
    monkeypatch.setattr(current_app.conf, "broker_write_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(current_app.amqp, "_producer_pool", None)


@pytest.fixture
def import_folder(settings: Settings, tmp_path: Path) -> Path:
    settings.IMPORT_FOLDER = str(tmp_path / "imports")
    return Path(settings.IMPORT_FOLDER)
