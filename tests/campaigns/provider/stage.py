"""A campaign's way through a worker, with everything real but the clock: database, Redis, provider.

What a device meets is said by its address (`e1.<behaviour>[.<args>].<id>`, see the emulator).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from campaigns import engine, launch, planner, transitions
from campaigns.entry import Waiting
from campaigns.models import DeliveryBatch, Lane, PushCampaign, PushLog
from campaigns.sending import send_batch
from campaigns.states import BatchState
from devices.models import DeviceToken, FcmProject
from loadtests.fcm_emulator.control import EmulatorControl
from loadtests.fcm_emulator.process import Emulator
from tests.cast import TASK_ID, make_campaign, make_devices, make_project, start_and_plan


class Clock:
    """The real time, moved on by the test."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@lru_cache
def account_of(control_url: str, project_id: str) -> dict[str, Any]:
    """The service account of a project, one for the whole session: its key takes long to make."""
    return EmulatorControl(control_url).service_account(project_id)


class Stage:
    """Projects, devices and campaigns in front of one emulator."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.control = emulator.control
        self.clock = Clock()
        self._folder = folder

    def project(self, name: str = "shop-one", **fields: Any) -> FcmProject:
        """A project that the provider knows; unpaced unless told otherwise."""
        file = self._folder / f"{name}.json"
        file.write_text(json.dumps(account_of(self.emulator.control_url, name)))
        defaults = {"credentials": f"file:{file}", "quota_per_minute": 0}
        return make_project(project_id=name, **defaults | fields)

    def devices(
        self, project: FcmProject, addresses: Iterable[str], **fields: Any
    ) -> dict[str, DeviceToken]:
        """Active devices by their addresses."""
        made = {}
        for address in addresses:
            [made[address]] = make_devices(project, 1, address=address, **fields)
        return made

    def started(self, **fields: Any) -> PushCampaign:
        """A campaign that is being sent, planned whole, to all devices; not checked beforehand."""
        campaign = make_campaign(**fields)
        start_and_plan(campaign, now=self.clock())
        return campaign

    def launched(self, **fields: Any) -> PushCampaign:
        """A campaign that was started by a person: the provider is asked, then it is planned."""
        campaign = make_campaign(**fields)
        transitions.start(campaign_id=campaign.pk, task_id=TASK_ID, now=self.clock())
        planner.open_lanes(campaign=campaign, now=self.clock())
        self.plan(campaign)
        return campaign

    def plan(self, campaign: PushCampaign) -> None:
        launch.plan_and_dispatch(campaign_id=campaign.pk, clock=self.clock)
        campaign.refresh_from_db()

    def send(self, campaign: PushCampaign) -> None:
        """Let this process take each waiting batch once, as a worker does that meets its task."""
        waiting = DeliveryBatch.objects.filter(campaign=campaign, state=BatchState.PENDING)
        for batch_id in waiting.order_by("pk").values_list("pk", flat=True):
            send_batch(batch_id=batch_id, clock=self.clock)
        campaign.refresh_from_db()

    def send_to_the_end(self, campaign: PushCampaign) -> int:
        """Send, and again whenever something is due, until nothing is left; return how often."""
        for rounds in range(1, 20):
            self.send(campaign)
            dues = [waiting.due for waiting in self.waiting(campaign).values()]
            if not dues:
                return rounds
            self.clock.advance(max(dues) - self.clock().timestamp() + 1)
        raise AssertionError("it does not end")

    def wait_out(self, campaign: PushCampaign) -> None:
        """Move the clock on to when all that waits is due."""
        dues = [waiting.due for waiting in self.waiting(campaign).values()]
        self.clock.advance(max(dues) - self.clock().timestamp() + 1)

    def waiting(self, campaign: PushCampaign) -> dict[str, Waiting]:
        """What is remembered of devices that are to be tried again, by address."""
        found = {}
        for batch in DeliveryBatch.objects.filter(campaign=campaign):
            for place, kept in batch.retries.items():
                device = DeviceToken.objects.get(pk=batch.device_ids[int(place)])
                found[device.address] = Waiting(*kept)
        return found

    def details(self, campaign: PushCampaign) -> dict[str, str]:
        """The provider's words that were kept with outcomes, by address."""
        found = {}
        for batch in DeliveryBatch.objects.filter(campaign=campaign):
            for place, error in batch.errors.items():
                device = DeviceToken.objects.get(pk=batch.device_ids[int(place)])
                found[device.address] = error.get("detail", "")
        return found

    def halts(self, campaign: PushCampaign) -> list[str]:
        """The reasons that halt the campaign's lanes, empty for those that go on."""
        lanes = Lane.objects.filter(campaign=campaign).order_by("project_id")
        return list(lanes.values_list("halt_reason", flat=True))

    def new_process(self) -> None:
        """Forget connections, access tokens and holds, as a worker does that has just begun."""
        engine._line.cache_clear()
        engine._redis.cache_clear()

    def wait_until_received(self, count: int) -> None:
        """Return once the provider has seen so many requests."""
        gives_up_at = time.monotonic() + 20
        while self.received() < count:
            assert time.monotonic() < gives_up_at, "the provider does not see that many"
            time.sleep(0.02)

    @contextmanager
    def meanwhile(self, received: int, then: Callable[[], None]) -> Iterator[None]:
        """Do something beside the block, once the provider has seen so many requests."""

        def act() -> None:
            self.wait_until_received(received)
            then()

        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(act)
            yield
            acting.result(timeout=30)

    def received(self) -> int:
        """How many requests to send the provider has seen."""
        return int(self.control.stats()["received"])


def log(campaign: PushCampaign) -> dict[str, tuple[str, str, bool]]:
    """The log by address: status, error, and whether the device is active now."""
    return {
        entry.device.address: (entry.status, entry.error, entry.device.is_active)
        for entry in PushLog.objects.filter(campaign=campaign).select_related("device")
    }


def only_batch(campaign: PushCampaign) -> DeliveryBatch:
    return DeliveryBatch.objects.get(campaign=campaign)


def use_provider(emulator: Emulator, chosen: Any) -> None:
    """Point the settings to an emulator; short of patience."""
    chosen.FCM_ENDPOINT = emulator.url
    chosen.FCM_CA_FILE = str(emulator.ca_file)
    chosen.FCM_TIMEOUT_S = 1
    chosen.SEND_DEADLINE_S = 20
    assert emulator.url == settings.FCM_ENDPOINT
