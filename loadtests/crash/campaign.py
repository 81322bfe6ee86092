"""One campaign under attack, as the harness sees it."""

from __future__ import annotations

from dataclasses import dataclass

from loadtests.crash.database import Database
from loadtests.waiting import wait_until
from scripts.demo_run.api import Api

ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Audience:
    """Devices of one user that a campaign is sent to."""

    user_id: str
    devices: int


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign by its id; what it says comes from API and database."""

    id: int
    audience: Audience
    api: Api
    database: Database

    def launch(self) -> None:
        """`POST …/send/`."""
        self.move("send")

    def move(self, move: str) -> None:
        """`POST …/<move>/`.

        Raises:
            DemoError: the API refuses.
        """
        self.api.post(f"campaigns/{self.id}/{move}/", {})

    @property
    def status(self) -> str:
        """Its status as it stands in the database."""
        sql = "SELECT status FROM campaigns_pushcampaign WHERE id = %s"
        return str(self.database.value(sql, self.id))

    @property
    def settled(self) -> int:
        """How many of its devices have a final outcome."""
        sql = "SELECT sent_count + skipped_count FROM campaigns_pushcampaign WHERE id = %s"
        return int(self.database.value(sql, self.id))

    @property
    def seconds(self) -> float:
        """How long it took from its start to its end."""
        sql = "SELECT extract(epoch FROM completed_at - started_at) FROM campaigns_pushcampaign"
        return float(self.database.value(f"{sql} WHERE id = %s", self.id))

    def batches(self, condition: str) -> int:
        """Return how many of its batches fulfil a condition in SQL."""
        sql = "SELECT count(*) FROM campaigns_deliverybatch WHERE campaign_id = %s AND "
        return int(self.database.value(sql + condition, self.id))

    def wait_for_share(self, share: float, *, within_s: float) -> None:
        """Wait until this share (0…1) of its audience has a final outcome."""
        wanted = share * self.audience.devices
        wait_until(
            lambda: self.settled >= wanted,
            within_s=within_s,
            what=f"campaign {self.id} has settled {wanted:.0f} devices",
        )

    def wait_for_end(self, *, within_s: float) -> None:
        """Wait until it has ended and nobody holds a batch of it any more."""
        wait_until(
            lambda: self.status in ENDED and not self.batches("state IN ('pending', 'sending')"),
            within_s=within_s,
            what=f"campaign {self.id} has ended",
        )
