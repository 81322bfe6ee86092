"""The rivals' own environments."""

from __future__ import annotations

import json
import re

import pytest

from loadtests.benchmarks.rivals.catalogue import FCM_V1_HTTP2, RIVALS
from loadtests.benchmarks.rivals.environments import (
    LOCK,
    PACKAGE,
    REQUIREMENTS,
    NotInstalledError,
    command_of,
    version_of,
)


def test_every_rival_is_pinned_to_one_version() -> None:
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version_of(rival)) for rival in RIVALS)


def test_what_is_locked_is_what_is_asked_for() -> None:
    lock = json.loads(LOCK.read_text())["packages"]

    asked = json.loads(PACKAGE.read_text())["dependencies"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in asked} == asked


def test_whatever_is_downloaded_is_known_by_its_hash_and_not_by_where_it_lay() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    requirements = REQUIREMENTS.read_text()

    assert all("integrity" in package for name, package in packages.items() if name)
    assert not any("resolved" in package for package in packages.values())
    pins = re.findall(r"^\S+==.*\\\n +--hash=sha256:", requirements, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z]", requirements, re.MULTILINE))
    assert "://" not in requirements


def test_a_machine_without_node_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(NotInstalledError, match="There is no node on this machine"):
        command_of(FCM_V1_HTTP2)
