from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from loadtests.fcm_emulator.process import Emulator
from tests.campaigns.conftest import Broker
from tests.campaigns.paces import forget_paces
from tests.campaigns.provider.stage import Stage, use_provider
from tests.fixtures.redis import own_redis

__all__ = ["own_redis"]


def _staged(emulator: Emulator, settings: Settings, folder: Path) -> Iterator[Stage]:
    use_provider(emulator, settings)
    stage = Stage(emulator, folder)
    forget_paces()
    stage.new_process()
    yield stage
    stage.new_process()


@pytest.fixture
def stage(
    fcm_emulator: Emulator, settings: Settings, tmp_path: Path, broker: Broker
) -> Iterator[Stage]:
    """In front of a provider that answers over TLS in every way."""
    yield from _staged(fcm_emulator, settings, tmp_path)


@pytest.fixture
def wire_stage(
    fcm_wire: Emulator, settings: Settings, tmp_path: Path, broker: Broker
) -> Iterator[Stage]:
    """In front of one whose connections break too."""
    yield from _staged(fcm_wire, settings, tmp_path)
