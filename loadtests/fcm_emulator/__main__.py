"""Run the FCM emulator until it is told to end, or its parent dies."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import datetime as dt
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from loadtests.fcm_emulator import access, tls
from loadtests.fcm_emulator.config import Config, ConfigError, parse_outcomes
from loadtests.fcm_emulator.control_server import ControlServer
from loadtests.fcm_emulator.judge import Judge
from loadtests.fcm_emulator.routes import TOKEN_PATH

_PR_SET_PDEATHSIG = 1


class _CannotStartError(Exception):
    """Why the emulator cannot start, in one sentence."""


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.fcm_emulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="of the provider; 0: any free one")
    add("--control-port", type=int, default=0, help="of /_ctl/…; 0: any free one")
    add("--tls-dir", type=Path, help="where CA and certificate are, or are to be made")
    add("--plain", action="store_true", help="no TLS: HTTP/1.1 and HTTP/2 with prior knowledge")
    add("--latency-ms", type=float, default=20.0, help="constant, or the median with a p99")
    add("--latency-p99-ms", type=float, help="makes the latency log-normal")
    add("--quota", type=int, default=600_000, help="messages per minute and project; 0: none")
    add("--outcomes", type=parse_outcomes, default={}, help="such as unregistered=0.02,hang=0.001")
    add("--seed", type=int, default=0, help="decides who meets which outcome")
    add("--wire", choices=["granian", "h2"], default="h2", help="who speaks HTTP")
    add("--max-concurrent-streams", type=int, default=100, help="per connection")
    add("--keep-tokens", action="store_true", help="keep accepted tokens whole, for receipts")
    add("--service-account-file", type=Path, action="append", default=[], metavar="FILE",
        help="make (or renew) this service account; one --project-id each")  # fmt: skip
    add("--project-id", action="append", default=[], help="of the service account file before it")
    add("--ready-file", type=Path, help="gets the line of readiness as well")
    arguments = parser.parse_args(argv)
    if not arguments.plain and arguments.tls_dir is None:
        parser.error("--tls-dir DIR or --plain is needed")
    if len(arguments.service_account_file) != len(arguments.project_id):
        parser.error("--service-account-file and --project-id come in pairs")
    return arguments


def _die_with_parent() -> None:
    """Have the kernel end this process when the thread that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _bind(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as exc:
        raise _CannotStartError(f"Port {port} on 127.0.0.1 is not free ({exc.strerror}).") from exc
    listener.listen(1_024)
    listener.setblocking(False)
    return listener


def _service_account(file: Path, project_id: str, token_uri: str) -> dict[str, Any]:
    """Return the account in `file`, made where there is none; it points to this emulator after."""
    try:
        account: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        account = {}
    if account.get("project_id") != project_id:
        account = access.new_service_account(project_id=project_id, token_uri=token_uri)
    account["token_uri"] = token_uri
    file.parent.mkdir(parents=True, exist_ok=True)
    tls.write_private(file, json.dumps(account, indent=2).encode())
    return account


def _config(arguments: argparse.Namespace) -> Config:
    try:
        return Config(
            seed=arguments.seed,
            latency_ms=arguments.latency_ms,
            latency_p99_ms=arguments.latency_p99_ms,
            quota_per_minute=arguments.quota,
            outcomes=arguments.outcomes,
        )
    except ConfigError as exc:
        raise _CannotStartError(f"{exc}.") from exc


async def _run(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    for end in (signal.SIGTERM, signal.SIGINT):
        # Nothing outlives the process, and requests that hang on purpose are not waited for.
        loop.add_signal_handler(end, os._exit, 0)
    listener = _bind(arguments.port)
    scheme = "http" if arguments.plain else "https"
    url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    files = None if arguments.plain else tls.ensure(arguments.tls_dir, now=dt.datetime.now(dt.UTC))
    if arguments.wire == "h2":
        from loadtests.fcm_emulator.wire_h2 import FAULTS, serve
    else:
        from loadtests.fcm_emulator.wire_granian import FAULTS, serve
    try:
        judge = Judge(_config(arguments), wire_faults=FAULTS, keep_tokens=arguments.keep_tokens)
    except ConfigError as exc:
        raise _CannotStartError(f"{exc}.") from exc
    for file, project_id in zip(arguments.service_account_file, arguments.project_id, strict=True):
        judge.access.register(_service_account(file, project_id, url + TOKEN_PATH))
    control = _control(judge, loop, arguments.control_port, url + TOKEN_PATH)
    serving = serve(
        judge, listener, tls=files, url=url, max_streams=arguments.max_concurrent_streams
    )
    control.start()
    gc.freeze()  # what is loaded now stays
    gc.set_threshold(50_000, 20, 100)  # what waits for its answer is no garbage: look more rarely
    ready = {"url": url, "control_url": control.url, "ca_file": str(files.ca) if files else None}
    # The socket listens already: who connects before the wire is up waits in its queue.
    _announce(json.dumps(ready), arguments.ready_file)
    await serving


def _control(
    judge: Judge, loop: asyncio.AbstractEventLoop, port: int, token_uri: str
) -> ControlServer:
    try:
        return ControlServer(judge, loop, port=port, token_uri=token_uri)
    except OSError as exc:
        raise _CannotStartError(f"Port {port} on 127.0.0.1 is not free ({exc.strerror}).") from exc


def _announce(line: str, ready_file: Path | None) -> None:
    if ready_file is not None:
        fresh = ready_file.with_suffix(f".{os.getpid()}")
        fresh.write_text(line + "\n")
        fresh.replace(ready_file)
    print(line, flush=True)


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Return uvloop's runner where it is installed: half the cost per message."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


def main(argv: list[str]) -> int:
    """Run; return 2 with one sentence on stderr where it cannot start."""
    arguments = _arguments(argv)
    _die_with_parent()
    try:
        _runner()(_run(arguments))
    except _CannotStartError as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
