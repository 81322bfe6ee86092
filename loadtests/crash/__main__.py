"""`scripts/crashtest`: every scenario in its long form, and a table of what came of them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from loadtests.crash.rabbitmq import RabbitServer, find_program
from loadtests.crash.result import Result
from loadtests.crash.scale import Scale, long
from loadtests.crash.scenarios import (
    control,
    disk,
    messages,
    parts,
    postgres,
    provider,
    rabbitmq,
    redis,
    schedules,
    workers,
)
from loadtests.crash.scenarios.disk import small_disk
from loadtests.crash.system import System, running_system
from loadtests.waiting import TooLateError
from scripts.embedded import Servers, ServersError, running_servers
from scripts.embedded.folders import server_account
from scripts.embedded.servers import profile_folder

Scenario = Callable[[System], Result]
SCENARIOS: dict[str, Scenario] = {
    "kill-processes": workers.kill_processes,
    "kill-worker": workers.kill_worker,
    "kill-all-workers": workers.kill_all_workers,
    "stop-past-the-lease": workers.stop_past_the_lease,
    "rolling-deploy": workers.rolling_deploy,
    "kill-planner": parts.kill_planner,
    "kill-beat": parts.kill_beat,
    "kill-web": parts.kill_web,
    "two-beats": schedules.fire_beside_two_beats,
    "kill-firing": schedules.kill_while_firing,
    "kill-in-local-time": schedules.kill_in_local_time,
    "redis-restart": redis.restart_with_data,
    "redis-restart-empty": redis.restart_without_data,
    "redis-flushall": redis.empty,
    "redis-away": redis.away,
    "postgres-crash": postgres.restart_at_once,
    "postgres-away": postgres.away,
    "postgres-cut-connections": postgres.cut_connections,
    "503": provider.unavailable,
    "accept-then-drop": provider.accept_then_drop,
    "slow": provider.slow,
    "hang": provider.hang,
    "429": provider.too_many,
    "401-once": provider.revoked_token,
    "401-for-good": provider.refused_project,
    "messages-twice": messages.deliver_twice,
    "callback-lost": messages.lose_the_callback,
    "rescues-at-once": messages.rescue_at_once,
    "poison": messages.poison,
    "poison-plan": messages.poison_plan,
    "pause-resume-cancel": control.pause_resume_cancel,
    "pause-while-waiting": control.pause_while_waiting,
    "fifty-sends": control.send_fifty_times,
    "urgent-beats-bulk": control.urgent_beats_bulk,
    "slow-paces": control.keep_slow_paces,
}
DISK, RABBITMQ = "disk-full", "rabbitmq-kill"
_HEAD = (
    f"{'scenario':26}{'s':>7}{'devices':>11}{'lost':>6}{'repeated':>10}{'unknown':>9}  what else"
)
NAMES = [*SCENARIOS, DISK, RABBITMQ]


def main(arguments: list[str]) -> int:
    """Run the scenarios that are asked for; return 1 where any promise was broken."""
    options = _parse(arguments)
    scale = long(options.devices)
    print(_HEAD, flush=True)
    broken = 0
    try:
        with tempfile.TemporaryDirectory(prefix="pushcore-crash-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # root's servers run as nobody
            for scenario, run in _runs(options.only or NAMES, scale, folder):
                broken += not _tell(scenario, run)
    except ServersError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything is stopped.", file=sys.stderr)
        return 130
    print(
        f"\n{broken} of the scenarios broke a promise." if broken else "\nEvery promise was kept."
    )
    return 1 if broken else 0


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/crashtest",
        description="Break the running engine in every way, and hold its account against the"
        " receipts. docs/reliability.md says what each scenario does and promises. Exits with 0"
        " only if every promise was kept. A million devices take about two hours and 8 GB of disk.",
    )
    parser.add_argument(
        "--devices", type=int, default=1_000_000, help="per scenario (default: 1000000)"
    )
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES)
    )
    return parser.parse_args(arguments)


def _runs(
    names: list[str], scale: Scale, folder: Path
) -> Iterator[tuple[str, Callable[[], Result | str]]]:
    """Yield each scenario's name and what runs it; most share one running engine."""
    shared = [name for name in names if name in SCENARIOS]
    if shared:
        logs = profile_folder("crash", account=server_account())
        with (
            running_servers("crash", owner="scripts/crashtest", environ={}) as servers,
            running_system(scale, servers=_owned(servers), folder=folder) as system,
        ):
            print(f"(logs: {folder / 'logs'}, {logs / 'logs'})", flush=True)
            for name in shared:
                system.mend()
                yield name, lambda name=name: SCENARIOS[name](system)  # type: ignore[misc]
    for name, run in ((DISK, _full_disk), (RABBITMQ, _kill_rabbitmq)):
        if name in names:
            yield name, lambda run=run: run(scale, folder)  # type: ignore[misc]


def _owned(servers: Servers) -> Servers:
    if servers.postgres is None or servers.redis is None:
        message = "Another scripts/crashtest runs on these servers: wait for it, or end it."
        raise ServersError(message)
    return servers


def _full_disk(scale: Scale, folder: Path) -> Result | str:
    try:
        with (
            small_disk(folder / "disk", megabytes=1_000 + scale.devices // 500),
            running_servers("disk", environ={}, data_root=folder) as servers,
            running_system(scale, servers=servers, folder=_subfolder(folder, "full")) as system,
        ):
            return disk.full_disk(system, folder / "disk")
    except PermissionError as refusal:
        return f"skipped: a small disk cannot be mounted ({refusal})"


def _kill_rabbitmq(scale: Scale, folder: Path) -> Result | str:
    program = find_program()
    if program is None:
        return "skipped: this machine has no rabbitmq-server"
    with contextlib.ExitStack() as stack:
        broker = RabbitServer(folder=folder, program=program)
        stack.callback(broker.stop)
        broker.start()
        servers = stack.enter_context(running_servers("amqp", environ={}, data_root=folder))
        logs = _subfolder(folder, "amqp-logs")
        system = stack.enter_context(
            running_system(scale, servers=servers, folder=logs, broker_url=broker.url)
        )
        return rabbitmq.kill_broker(system, broker)


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(exist_ok=True)
    return path


def _tell(name: str, run: Callable[[], Result | str]) -> bool:
    """Run one scenario, print its line and return whether it kept every promise."""
    begin = time.monotonic()
    try:
        result = run()
    except (TooLateError, RuntimeError, OSError) as exc:
        result = Result(violations=[str(exc)])
    if isinstance(result, str):
        print(f"{name:26}{result}", flush=True)
        return True
    devices = sum(account.expected for account in result.accounts)
    lost = sum(account.lost for account in result.accounts)
    repeats = sum(account.repeats for account in result.accounts)
    unknown = sum(account.log["unknown"] for account in result.accounts)
    seconds = time.monotonic() - begin
    what = "; ".join([*result.notes, *(f"BROKEN: {one}" for one in result.violations)])
    figures = f"{seconds:7.1f}{devices:11,}{lost:6}{repeats:10}{unknown:9}"
    print(f"{name:26}{figures}  {what}", flush=True)
    return not result.violations


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
