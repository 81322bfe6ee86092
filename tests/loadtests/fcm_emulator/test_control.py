"""Settings and what the control port says to senseless ones."""

from __future__ import annotations

from typing import Any

import pytest

from loadtests.fcm_emulator.config import Config, ConfigError, parse_outcomes
from loadtests.fcm_emulator.control import ControlError, EmulatorControl
from loadtests.fcm_emulator.process import Emulator


def test_settings_change_one_by_one_and_are_told_in_full(fcm_emulator: Emulator) -> None:
    before = fcm_emulator.control.config()

    after = fcm_emulator.control.configure(latency_ms=5, outcomes={"unregistered": 0.1})

    assert after == {**before, "latency_ms": 5, "outcomes": {"unregistered": 0.1}}
    assert fcm_emulator.control.config() == after


@pytest.mark.parametrize(
    "changes",
    [
        {"latency": 5},
        {"latency_ms": "5"},
        {"latency_ms": -1},
        {"quota_per_minute": True},
        {"quota_per_minute": 1.5},
        {"latency_p99_ms": 1, "latency_ms": 2},
        {"outcomes": {"lost": 0.1}},
        {"outcomes": {"hang.often": 0.1}},
        {"outcomes": {"hang": 0.6, "internal": 0.6}},
        {"outcomes": {"hang": "0.6"}},
        {"outcomes": []},
        {"project_faults": {"p": "lost"}},
        {"retry_after": "soon"},
        {"oauth_trust": "nobody"},
        {"reset_unread": 2},
    ],
)
def test_a_senseless_setting_is_refused_and_changes_nothing(changes: dict[str, Any]) -> None:
    config = Config()

    with pytest.raises(ConfigError):
        config.changed(changes)


def test_the_control_port_says_why_it_refuses(fcm_emulator: Emulator) -> None:
    before = fcm_emulator.control.config()

    with pytest.raises(ControlError, match="no such setting: 'speed'"):
        fcm_emulator.control.configure(speed=5)

    assert fcm_emulator.control.config() == before


def test_an_unknown_path_is_refused(fcm_emulator: Emulator) -> None:
    with pytest.raises(ControlError, match="no such thing"):
        EmulatorControl(fcm_emulator.control_url)._get("everything")


def test_a_watch_is_set_and_asked_for(fcm_emulator: Emulator) -> None:
    fcm_emulator.control.watch(["e1.ok.watched"])

    assert fcm_emulator.control.watched() == []


def test_reads_the_command_lines_shares() -> None:
    assert parse_outcomes("unregistered=0.02, unavailable.3=0.01,") == {
        "unregistered": 0.02,
        "unavailable.3": 0.01,
    }


@pytest.mark.parametrize("text", ["unregistered", "unregistered=many", "=,a"])
def test_refuses_shares_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="not of the form outcome=share"):
        parse_outcomes(text)
