from __future__ import annotations

import pytest

from loadtests.crash.scenarios import messages
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_messages_delivered_twice_send_once(system: System) -> None:
    assert messages.deliver_twice(system).violations == []


def test_a_campaign_whose_callbacks_are_lost_completes(system: System) -> None:
    assert messages.lose_the_callback(system).violations == []


def test_many_rescues_at_once_do_no_harm(system: System) -> None:
    assert messages.rescue_at_once(system).violations == []
