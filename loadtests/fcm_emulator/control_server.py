"""The control port: settings, statistics and receipts, as JSON over HTTP/1.1.

It runs in threads of its own; whatever it asks of the judge is done in the judge's event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qs, urlsplit

import orjson

from loadtests.fcm_emulator.access import new_service_account
from loadtests.fcm_emulator.config import ConfigError
from loadtests.fcm_emulator.judge import Judge

Json = dict[str, Any]
_T = TypeVar("_T")
_ANSWER_WITHIN_S = 30.0


class ControlServer:
    """Serves `/_ctl/…` on 127.0.0.1 for a judge that lives in `loop`."""

    def __init__(
        self, judge: Judge, loop: asyncio.AbstractEventLoop, *, port: int, token_uri: str
    ) -> None:
        """Bind the port (0: any free one); OSError if it is taken."""
        self.judge = judge
        self._loop = loop
        self._token_uri = token_uri
        handler = type("Handler", (_Handler,), {"control": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()

    def in_loop(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns, or raise what it raises, in the judge's loop."""

        async def run() -> _T:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_ANSWER_WITHIN_S)

    def get(self, path: str, query: dict[str, str]) -> Json | Iterator[bytes]:
        """Answer a GET; KeyError for an unknown path."""
        judge = self.judge
        if path == "/_ctl/config":
            return self.in_loop(judge.config.as_json)
        if path == "/_ctl/stats":
            return self.in_loop(judge.ledger.as_json)
        if path == "/_ctl/messages":
            kept = self.in_loop(lambda: list(judge.ledger.messages.get(query.get("token", ""), [])))
            return {"messages": [orjson.loads(body) for body in kept]}
        if path == "/_ctl/watch":
            return {"accepted_at": self.in_loop(judge.ledger.watched)}
        if path == "/_ctl/receipts":
            return self._receipts(query.get("project"))
        raise KeyError(path)

    def post(self, path: str, body: Any) -> Json:
        """Answer a POST; KeyError for an unknown path, ConfigError for senseless settings."""
        judge = self.judge
        if path == "/_ctl/config":
            return self.in_loop(lambda: self._configure(body))
        order = self._order(path, body)
        if order is not None:
            return self.in_loop(lambda: self._done(order))
        if path == "/_ctl/receipts":
            return {"counts": self.in_loop(lambda: self._counts(body))}
        if path == "/_ctl/access-token":
            return {"access_token": self.in_loop(lambda: self._issue(body))}
        if path == "/_ctl/service-account":
            project = str(body["project_id"])
            account = new_service_account(project_id=project, token_uri=self._token_uri)
            self.in_loop(lambda: judge.access.register(account))
            return account
        raise KeyError(path)

    def _order(self, path: str, body: Any) -> Callable[[], None] | None:
        """Return what is to be done for a path that answers nothing; None for any other."""
        judge = self.judge
        return {
            "/_ctl/reset": judge.reset,
            "/_ctl/revoke": judge.access.revoke_all,
            "/_ctl/watch": lambda: judge.ledger.watch(body["tokens"]),
        }.get(path)

    def _configure(self, changes: Json) -> Json:
        self.judge.configure(self.judge.config.changed(changes))
        return self.judge.config.as_json()

    def _done(self, call: Callable[[], None]) -> Json:
        call()
        return {}

    def _issue(self, body: Json) -> str:
        lifetime = float(body.get("expires_in", self.judge.config.oauth_expires_in))
        return self.judge.access.issue(
            project=body.get("project_id"), now=time.time(), lifetime_s=lifetime
        )

    def _counts(self, body: Json) -> list[int]:
        projects = self.judge.ledger.projects
        names = [body["project"]] if body.get("project") else list(projects)
        books = [projects[name] for name in names if name in projects]
        return [sum(book.count_of(token) for book in books) for token in body["tokens"]]

    def _receipts(self, project: str | None) -> Iterator[bytes]:
        """Yield one line of JSON per accepted token; ConfigError if tokens are not kept."""
        ledger = self.judge.ledger
        if not ledger.keep_tokens:
            raise ConfigError("tokens are kept with --keep-tokens only; POST them for their counts")
        kept = self.in_loop(
            lambda: [
                (name, token, ledger.projects[name].count_of(token))
                for name, tokens in ledger.tokens.items()
                if project in (None, name)
                for token in tokens
            ]
        )
        for name, token, count in kept:
            yield orjson.dumps({"project": name, "token": token, "count": count}) + b"\n"


class _Handler(BaseHTTPRequestHandler):
    control: ClassVar[ControlServer]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self._answer(lambda: self.control.get(url.path, query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer(lambda: self.control.post(self.path, orjson.loads(body or b"{}")))

    def _answer(self, call: Callable[[], Json | Iterator[bytes]]) -> None:
        try:
            answer = call()
            # Lines are joined before they are sent: receipts in full are asked for in tests only.
            content = orjson.dumps(answer) if isinstance(answer, dict) else b"".join(answer)
            status = 200
        except KeyError as exc:
            status, content = 404, orjson.dumps({"error": f"no such thing: {exc.args[0]}"})
        except (ConfigError, orjson.JSONDecodeError, ValueError, TypeError) as exc:
            status, content = 400, orjson.dumps({"error": str(exc)})
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the parent's name
        """Stay silent: stdout carries the line of readiness only."""
