"""Everything that a campaign needs, running: servers, tables, devices, emulator, workers, web."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from loadtests.fcm_emulator.process import Emulator, EmulatorStartError, launch
from scripts.demo_run.api import Api
from scripts.demo_run.children import Child, Children
from scripts.demo_run.errors import DemoError
from scripts.demo_run.keeping import kept_in
from scripts.demo_run.leaving import hear_no_more
from scripts.demo_run.options import Options
from scripts.demo_run.projects import project_names
from scripts.demo_run.screen import Screen
from scripts.embedded import running_servers
from scripts.embedded.ports import free_port, is_free

if TYPE_CHECKING:
    from scripts.demo_run.prepare import Login

START_TIMEOUT_S = 120.0
WEB_PROCESSES = 2
"""A short request that meets a long one in the same process waits for its Python."""
WEB_THREADS = 8
"""Of each: no short request waits for a thread because long ones wait for the database."""
WEB_THREAD_IDLE_S = 600
"""As long as its connection to the database, which ends with it, and is dear to make anew."""
WORKERS_NICENESS = 10
"""Who waits for an answer of the API goes before messages, where there are too few processors."""
QUEUES = "rescue,high_priority,notices,default,low_priority"


@dataclass(frozen=True, slots=True)
class Stack:
    """The running parts that the demo talks to."""

    api: Api
    login: Login
    emulator: Emulator
    workers: Child
    children: Children


@contextlib.contextmanager
def running_stack(options: Options, *, folder: Path, screen: Screen) -> Iterator[Stack]:
    """Have the whole engine running within the block; nothing of it is left afterwards.

    Raises:
        DemoError: a part cannot be started; the message says which and why.
        ServersError: as above, for the embedded servers.
    """
    port = _web_port(options.port)
    with contextlib.ExitStack() as stack:
        screen.step("Starting PostgreSQL and Valkey")
        servers = stack.enter_context(running_servers(folder.name, owner="scripts/demo"))
        screen.step("Starting the FCM emulator")
        emulator = stack.enter_context(_emulator(options, folder))
        os.environ |= _environment(servers.database_url, servers.redis_url, emulator)
        os.environ |= kept_in(folder)
        login = _prepare(options, folder=folder, screen=screen)
        screen.step("Starting web server, workers and beat")
        children = stack.enter_context(Children(logs=folder / "logs", environment=os.environ))
        workers = _start_workers(children, count=options.workers)
        _start_web(children, port=port, with_pages=options.serve)
        api = Api(f"http://127.0.0.1:{port}", api_key=login.api_key)
        api.wait_until_up(children.check)
        _wait_for_workers(children)
        stack.callback(hear_no_more)  # runs first on the way out, which is not to be broken off
        yield Stack(api, login, emulator, workers, children)


def _web_port(wanted: int) -> int:
    if wanted and not is_free(wanted):
        message = f"Port {wanted} on 127.0.0.1 is in use: choose another with --port."
        raise DemoError(message)
    return wanted or free_port()


@contextlib.contextmanager
def _emulator(options: Options, folder: Path) -> Iterator[Emulator]:
    outcomes = ",".join(f"{name}={share}" for name, share in options.outcomes.items())
    with contextlib.ExitStack() as stack:
        try:
            emulator = stack.enter_context(
                launch(
                    *("--tls-dir", folder / "tls"),
                    *("--latency-ms", str(options.latency_ms)),
                    *("--quota", str(options.quota)),
                    *("--outcomes", outcomes),
                    *("--seed", str(options.seed)),
                    *_accounts(options.projects, folder),
                )
            )
        except EmulatorStartError as exc:
            message = f"The FCM emulator did not start: {str(exc).splitlines()[-1]}"
            raise DemoError(message) from exc
        yield emulator


def _accounts(projects: int, folder: Path) -> Iterator[str | Path]:
    """Yield the emulator's arguments: one service account for each project."""
    for name in project_names(projects):
        yield from ("--service-account-file", folder / f"{name}.json", "--project-id", name)


def _environment(database_url: str, redis_url: str, emulator: Emulator) -> dict[str, str]:
    """Return the settings that all parts share; this process reads them as well."""
    return {
        "DJANGO_SETTINGS_MODULE": "settings.dev",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "FCM_ENDPOINT": emulator.url,
        "FCM_CA_FILE": str(emulator.ca_file),
    }


def _prepare(options: Options, *, folder: Path, screen: Screen) -> Login:
    """Fill the database. Django is imported here: only now its settings can be read."""
    import django

    django.setup()
    from scripts.demo_run import audience, prepare

    screen.step("Migrating the database")
    prepare.migrate()
    if count := prepare.cancel_unfinished():
        screen.step(f"Cancelled what an interrupted run left ({count})")
    projects = prepare.prepare_projects(count=options.projects, folder=folder, quota=options.quota)
    with screen.progress("Making devices", total=options.devices) as advance:
        used, made = audience.prepare_devices(
            projects=projects, count=options.devices, seed=options.seed, on_progress=advance
        )
    screen.step(f"{options.devices:,} devices: {made:,} made, {used:,} used again")
    if options.serve:
        prepare.collect_static()
    return prepare.prepare_login()


def _start_workers(children: Children, *, count: int) -> Child:
    """Start Celery's worker, which is returned, and beat."""
    # SIGQUIT is Celery's cold shutdown: it ends the pool's processes at once. What they were
    # sending stays in the ledger, which is what the ledger is for.
    worker = children.start(
        "worker",
        *("celery", "--app", "settings.celery", "worker"),
        *("--pool", "prefork", "--concurrency", str(count), "--queues", QUEUES),
        *("--hostname", "demo@localhost", "--loglevel", "INFO"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *("--", "worker.soft_shutdown_timeout=0"),
        stop_signal=signal.SIGQUIT,
    )
    # Before its processes are forked, which are as nice as it is.
    os.setpriority(os.PRIO_PGRP, worker.process.pid, WORKERS_NICENESS)
    children.start("beat", "celery", "--app", "settings.celery", "beat", "--pidfile", "")
    return worker


def _start_web(children: Children, *, port: int, with_pages: bool) -> None:
    """Start the web server; `with_pages`: for a person with a browser, not just the API."""
    static = ("--static-path-mount", str(settings.STATIC_ROOT)) if with_pages else ()
    children.start(
        "web",
        *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS)),
        *("--blocking-threads-idle-timeout", str(WEB_THREAD_IDLE_S), "--no-ws", *static),
        "settings.wsgi:application",
    )


def _wait_for_workers(children: Children) -> None:
    """Wait until Celery answers: its start is not to count as the campaign's time.

    Raises:
        DemoError: it ended, or did not answer in time.
    """
    from settings.celery import app

    deadline = time.monotonic() + START_TIMEOUT_S
    while not app.control.ping(timeout=0.3):
        children.check()
        if time.monotonic() > deadline:
            message = "The Celery worker does not answer; see worker.log."
            raise DemoError(message)
