"""Who uses Pushcore, and how: the load scenario of `scripts/loadtest`, run by Locust.

Apps register and refresh devices, most of all; their backends send campaigns to some users and poll
how far they are; marketers write, estimate, and read who got what. Three shapes of a day stand in
`LOAD_SHAPE`: `steady`, `morning` (a slow rise to the peak and down again), `breaking` (everybody at
once). `LOAD_USERS` is the peak, `LOAD_SECONDS` the length; `LOAD_API_KEY` opens the API.
"""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Callable
from typing import Any

from locust import FastHttpUser, LoadTestShape, between, task

API_KEY = os.environ["LOAD_API_KEY"]
USERS = int(os.environ.get("LOAD_USERS", "20"))
SECONDS = int(os.environ.get("LOAD_SECONDS", "60"))
SHAPE = os.environ.get("LOAD_SHAPE", "steady")
AUDIENCE = 100_000
"""Users of the app: `user0` and on, as the demo's devices are called."""
STATS_POLLS = 5
BULK_ROWS = 200


class Day(LoadTestShape):
    """How many users there are at each moment."""

    def tick(self) -> tuple[int, float] | None:
        """Return (users, users that may come or go a second); None at the end."""
        now: float = self.get_run_time()  # type: ignore[no-untyped-call]
        if now >= SECONDS:
            return None
        return max(1, round(USERS * _SHARES[SHAPE](now / SECONDS))), float(USERS)


def _morning(passed: float) -> float:
    """Rise from a tenth to everybody at noon, and fall again."""
    return 1.0 - 0.9 * abs(2.0 * passed - 1.0)


def _breaking(passed: float) -> float:
    """Stay at a tenth for a third of the time; then everybody comes at once, and stays."""
    return 0.1 if passed < 1 / 3 else 1.0


_SHARES = {"steady": lambda _: 1.0, "morning": _morning, "breaking": _breaking}


class ApiUser(FastHttpUser):
    """Whoever calls the API with a key."""

    abstract = True

    def on_start(self) -> None:
        """Be there already, as on any steady day: the first call comes after a wait like others.

        When news break, nobody waits.
        """
        if SHAPE != "breaking":
            self.wait()  # type: ignore[no-untyped-call]

    def call(self, method: str, path: str, *, name: str, ok: tuple[int, ...], **kwargs: Any) -> Any:
        """Make a call; any other status counts as a failure. Return the JSON of a good answer."""
        headers = {"Authorization": f"Api-Key {API_KEY}"} | kwargs.pop("headers", {})
        with self.client.request(
            method, f"/api/{path}", name=name, headers=headers, catch_response=True, **kwargs
        ) as answer:
            if answer.status_code in ok:
                answer.success()
                return answer.json() if answer.text and method != "HEAD" else None
            answer.failure(f"{answer.status_code}: {(answer.text or '')[:200]}")
            return None


def on_average(seconds: float) -> Callable[[Any], float]:
    """Return how users wait who know nothing of each other: exponentially, so calls are Poisson's.

    At a constant pace all that started in one moment would call in one moment for ever.
    """
    return lambda _user: random.expovariate(1 / seconds)


class App(ApiUser):
    """An installed app: at each start it says that its device is there."""

    weight = 12
    wait_time = on_average(0.5)

    def on_start(self) -> None:
        """Be one device of somebody."""
        super().on_start()
        self.device = _device(random.randrange(AUDIENCE))

    @task(8)
    def refresh(self) -> None:
        """Register a device that is known."""
        self.call("POST", "devices/", name="refresh a device", ok=(200, 201), json=self.device)

    @task(2)
    def register(self) -> None:
        """Register a device that is new."""
        self.device = _device(random.randrange(AUDIENCE))
        self.call("POST", "devices/", name="register a device", ok=(200, 201), json=self.device)


class Synchroniser(ApiUser):
    """A backend that hands its devices over in bulk."""

    weight = 1
    wait_time = on_average(5)

    @task
    def upsert(self) -> None:
        """Register some hundred at once."""
        rows = [_device(random.randrange(AUDIENCE)) for _ in range(BULK_ROWS)]
        self.call(
            "POST", "devices/bulk/", name=f"{BULK_ROWS} devices at once", ok=(200,), json=rows
        )


class Backend(ApiUser):
    """A program that sends: one campaign to some users each time, and looks how it goes."""

    weight = 3
    wait_time = on_average(1)

    @task(3)
    def send(self) -> None:
        """Create, launch, and poll."""
        if (campaign := self._create()) is None:
            return
        self._launch(campaign)
        for _ in range(STATS_POLLS):
            self._stats(campaign)

    @task(1)
    def pause_and_resume(self) -> None:
        """Launch, think better of it, and go on; it may have ended in the meantime (409)."""
        if (campaign := self._create()) is None:
            return
        self._launch(campaign)
        for move in ("pause", "resume"):
            path = f"campaigns/{campaign}/{move}/"
            self.call("POST", path, name=move, ok=(200, 409), headers=_once())

    @task(2)
    def watch(self) -> None:
        """Look at what is being sent, at the newest first; no longer than anybody would."""
        active = self.call("GET", "campaigns/active/", name="active", ok=(200,)) or []
        for campaign in active[:STATS_POLLS]:
            self._stats(campaign["campaign_id"])

    def _create(self) -> int | None:
        users = [f"user{random.randrange(AUDIENCE)}" for _ in range(20)]
        body = {"title": "Your order", "message": "It is on its way.", "target_user_ids": users}
        created = self.call(
            "POST", "campaigns/", name="create", ok=(201,), json=body, headers=_once()
        )
        return None if created is None else int(created["id"])

    def _launch(self, campaign: int) -> None:
        path = f"campaigns/{campaign}/send/"
        self.call("POST", path, name="send", ok=(202,), headers=_once())

    def _stats(self, campaign: int) -> None:
        self.call("GET", f"campaigns/{campaign}/stats/", name="stats", ok=(200,))


class Marketer(ApiUser):
    """A person with a console: opens the list, writes, estimates, reads."""

    weight = 2
    wait_time = between(1, 3)

    @task(3)
    def open_the_list(self) -> None:
        """Look at the newest campaigns."""
        self.call("GET", "campaigns/", name="list", ok=(200,))

    @task(1)
    def estimate(self) -> None:
        """Write a campaign to everybody, and ask whom it would reach."""
        body = {"title": "Sale", "message": "Half price.", "target_all": True}
        created = self.call(
            "POST", "campaigns/", name="create", ok=(201,), json=body, headers=_once()
        )
        if created is not None:
            path = f"campaigns/{created['id']}"
            self.call("GET", f"{path}/estimate/", name="estimate", ok=(200,))
            self.call("DELETE", f"{path}/", name="delete a draft", ok=(204,))

    @task(2)
    def read_deliveries(self) -> None:
        """Look up who got the newest campaign."""
        newest = self.call("GET", "campaigns/?status=completed", name="list", ok=(200,))
        for campaign in (newest or {}).get("results", [])[:1]:
            path = f"campaigns/{campaign['id']}/deliveries/"
            self.call("GET", path, name="deliveries", ok=(200,))


def _device(number: int) -> dict[str, Any]:
    digits = uuid.UUID(int=random.getrandbits(128)).hex
    return {
        "user_id": f"user{number}",
        "address": f"{digits[:22]}:APA91b{digits * 4}",
        "platform": random.choice(("android", "android", "ios")),
        "language": "en",
        "app_version": "2.4.0",
    }


def _once() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}
