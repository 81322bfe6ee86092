"""How large and how long a scenario is: the same steps for a short run and a long one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Scale:
    """The measures of one run; times in seconds."""

    devices: int
    """In the audiences that are sent to while something is broken, together."""
    rate: int
    """Messages a second that such a campaign is held to, so that it lasts; 0 for the quota's."""
    down_s: float
    """How long a server stays away."""
    faults: int
    """How often at most something is broken that is broken until the campaigns end."""
    every_s: float
    """How far apart those are."""
    troubled: int
    """Devices of a campaign that the provider troubles: its retries wait for 10 s and more."""
    end_within_s: float
    """A campaign that has not ended by then is lost."""
    workers: int = 2
    """Celery workers."""
    processes: int = 2
    """Processes of each that send."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings that differ from production's."""


SHORT = Scale(
    devices=8_000,
    rate=1_500,
    down_s=3,
    faults=3,
    every_s=0.7,
    troubled=1_500,
    end_within_s=180,
    environment={
        "WAVE_BATCHES": "4",
        "LEASE_S": "3",
        "RESCUE_INTERVAL_S": "1",
        "STANDSTILL_S": "2",
        "FCM_TIMEOUT_S": "10",
    },
)
"""A few seconds each. Leases and the rescue's patience are shortened. Small waves let campaigns be
sent side by side, so that what is broken is broken for all of them."""


def long(devices: int) -> Scale:
    """Return the long form: production's settings and pace, with smaller waves as above."""
    return Scale(
        devices=devices,
        rate=0,
        down_s=20,
        faults=1_000,
        every_s=5,
        troubled=max(devices // 10, 1_500),
        end_within_s=600 + devices / 1_000,
        environment={"WAVE_BATCHES": "40"},
    )
