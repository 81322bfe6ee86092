"""Everything that runs in a crash test, and the handles to break it by."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from loadtests.crash import processes
from loadtests.crash.audiences import prepare_audience
from loadtests.crash.campaign import Audience, Campaign
from loadtests.crash.database import Database
from loadtests.crash.judge import Account, account_of
from loadtests.crash.processes import Worker
from loadtests.crash.scale import Scale
from loadtests.fcm_emulator.process import Emulator, launch
from loadtests.waiting import wait_until
from scripts.demo_run.api import Api
from scripts.demo_run.children import Child, Children
from scripts.embedded import ServersError
from scripts.embedded.folders import CHECKOUT
from scripts.embedded.ports import free_port
from scripts.embedded.postgres import PostgresServer
from scripts.embedded.servers import Servers
from scripts.embedded.valkey import ValkeyServer

PROJECT, QUOTA_PROJECT, TOKEN_PROJECT = "crash-test", "crash-quota", "crash-token"
"""Three projects, as what the provider does to one must not touch the others."""
_RUNNING = "SELECT id FROM campaigns_pushcampaign WHERE status IN ('processing', 'paused')"
_HELD = "SELECT 1 FROM campaigns_deliverybatch WHERE state = 'sending' LIMIT 1"
_numbers = itertools.count(1)


@dataclass(slots=True)
class System:
    """The running engine: real servers, real processes, and the provider's emulator."""

    scale: Scale
    postgres: PostgresServer
    redis: ValkeyServer
    broker_url: str
    emulator: Emulator
    database: Database
    api: Api
    children: Children
    web_port: int
    web: Child
    beat: Child
    workers: list[Worker] = field(default_factory=list)

    @property
    def pids(self) -> list[int]:
        """All processes that send."""
        return [pid for worker in self.workers for pid in worker.pids]

    def audience(
        self,
        name: str,
        *,
        devices: int,
        project: str = PROJECT,
        troubles: Mapping[str, float] | None = None,
    ) -> Audience:
        """Return an audience: see `prepare_audience`."""
        return prepare_audience(
            self.database, name, devices=devices, project=project, troubles=troubles
        )

    def draft(self, audience: Audience, **fields: object) -> Campaign:
        """Create a campaign to the audience, at the scale's rate."""
        body = {
            "title": f"Crash test {next(_numbers)}",
            "message": "Does it arrive?",
            "target_user_ids": [audience.user_id],
            "rate_limit_per_second": self.scale.rate or None,
        }
        created = self.api.post("campaigns/", body | fields)
        return Campaign(created["id"], audience, self.api, self.database)

    def launch(self, audience: Audience, **fields: object) -> Campaign:
        """Create a campaign and start sending it."""
        campaign = self.draft(audience, **fields)
        campaign.launch()
        return campaign

    @property
    def accepted(self) -> int:
        """How many messages the provider has accepted since its last reset."""
        return int(self.emulator.control.stats()["accepted"])

    def account(self, campaign: Campaign) -> Account:
        """Return the campaign's account beside the provider's receipts."""
        return account_of(
            self.database,
            self.emulator.control,
            self.api,
            campaign_id=campaign.id,
            expected=campaign.audience.devices,
        )

    def unlimit(self, campaign: Campaign) -> None:
        """Let a campaign that was held to a slow pace end quickly."""
        self.database.rows(
            "UPDATE campaigns_pushcampaign SET rate_limit_per_second = NULL WHERE id = %s",
            campaign.id,
        )

    def wait_for_postgres(self) -> None:
        """Have PostgreSQL answer again, started anew if it went down by itself."""

        def answers() -> bool:
            with contextlib.suppress(psycopg2.Error, ServersError):
                self.postgres.start()
                with contextlib.closing(self.database.connect()):
                    return True
            return False

        wait_until(answers, within_s=60, what="PostgreSQL answers")

    def add_worker(self) -> Worker:
        """Start one more worker; does not wait until it is ready."""
        worker = processes.start_worker(self.children, processes=self.scale.processes)
        self.workers.append(worker)
        return worker

    def restart_beat(self) -> None:
        """Start beat anew, after it was killed."""
        self.beat = processes.start_beat(self.children)

    def restart_web(self) -> None:
        """Start the web server anew, after it was killed, and wait until it answers."""
        self.web = processes.start_web(self.children, port=self.web_port)
        self.api.wait_until_up(lambda: None)

    def mend(self) -> None:
        """Have everything run again, and the provider forget everything: before each scenario."""
        self.postgres.start()
        self.redis.start()
        self.emulator.control.configure(latency_ms=20.0, project_faults={})
        self.mend_processes()
        for (campaign_id,) in self.database.rows(_RUNNING):
            self.api.post(f"campaigns/{campaign_id}/cancel/", {})
        wait_until(lambda: not self.database.rows(_HELD), within_s=60, what="nothing is being sent")
        self.emulator.control.reset()

    def mend_processes(self) -> None:
        """Start what is missing of workers, beat and web server, and wait until it is ready."""
        self.workers = [worker for worker in self.workers if worker.is_alive]
        fresh = [self.add_worker() for _ in range(self.scale.workers - len(self.workers))]
        for worker in fresh:
            processes.wait_until_ready(worker)
        if self.beat.process.poll() is not None:
            self.restart_beat()
        if self.web.process.poll() is not None:
            self.restart_web()


@contextlib.contextmanager
def running_system(
    scale: Scale, *, servers: Servers, folder: Path, broker_url: str | None = None
) -> Iterator[System]:
    """Have the engine running on these servers within the block; logs lie in `folder`/logs.

    Raises:
        subprocess.CalledProcessError: the database could not be prepared.
        TooLateError: a process did not start.
    """
    if servers.postgres is None or servers.redis is None:
        message = "A crash test breaks its servers: it needs embedded ones of its own."
        raise ValueError(message)
    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(
            launch("--tls-dir", folder / "tls", "--quota", "0", "--wire", "h2")
        )
        environment = _environment(scale, servers, emulator, broker_url)
        key = _prepare(environment, _key_files(emulator, folder))
        (folder / "logs").mkdir(exist_ok=True)
        children = stack.enter_context(Children(logs=folder / "logs", environment=environment))
        port = free_port()
        system = System(
            scale=scale,
            postgres=servers.postgres,
            redis=servers.redis,
            broker_url=broker_url or servers.redis_url,
            emulator=emulator,
            database=Database(servers.database_url),
            api=Api(f"http://127.0.0.1:{port}", api_key=key),
            children=children,
            web_port=port,
            web=processes.start_web(children, port=port),
            beat=processes.start_beat(children),
        )
        stack.callback(system.database.close)
        system.mend_processes()
        system.api.wait_until_up(lambda: None)
        yield system


def _environment(
    scale: Scale, servers: Servers, emulator: Emulator, broker_url: str | None
) -> Mapping[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CELERY_")}
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "CELERY_BROKER_URL": broker_url or servers.redis_url,
        "FCM_ENDPOINT": emulator.url,
        "FCM_CA_FILE": str(emulator.ca_file),
        **scale.environment,
    }


def _key_files(emulator: Emulator, folder: Path) -> dict[str, Path]:
    files = {}
    for project in (PROJECT, QUOTA_PROJECT, TOKEN_PROJECT):
        files[project] = folder / f"{project}.json"
        files[project].touch(mode=0o600)
        files[project].write_text(
            json.dumps(emulator.control.service_account(project)), encoding="utf-8"
        )
    return files


def _prepare(environment: Mapping[str, str], key_files: Mapping[str, Path]) -> str:
    arguments = [f"{project}={file}" for project, file in key_files.items()]
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.crash.prepare", *arguments],
        check=True,
        cwd=CHECKOUT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.split()[-1]
