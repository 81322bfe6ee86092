"""The control port's client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

Json = dict[str, Any]
_TOKENS_PER_CALL = 20_000
_TIMEOUT_S = 60.0


class ControlError(Exception):
    """The emulator refused; the message is its own."""


class EmulatorControl:
    """Steers a running emulator and asks for its receipts."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url
        # An environment's proxy has no business between two processes on loopback.
        self._opener = build_opener(ProxyHandler({}))

    def configure(self, **changes: Any) -> Json:
        """Change settings (fields of `config.Config`); return all of them."""
        return self._post("config", changes)

    def config(self) -> Json:
        """Return the settings."""
        return self._get("config")

    def reset(self) -> None:
        """Forget receipts and counters; settings and access tokens stay."""
        self._post("reset", {})

    def revoke_access_tokens(self) -> None:
        """Make every access token issued so far worthless."""
        self._post("revoke", {})

    def access_token(
        self, *, project_id: str | None = None, expires_in: float | None = None
    ) -> str:
        """Return a new access token, good for any project or the one given."""
        body: Json = {"project_id": project_id}
        if expires_in is not None:
            body["expires_in"] = expires_in
        return str(self._post("access-token", body)["access_token"])

    def service_account(self, project_id: str) -> Json:
        """Return a new service account's dict, its `token_uri` the emulator's."""
        return self._post("service-account", {"project_id": project_id})

    def stats(self) -> Json:
        """Return the statistics: see docs/emulator.md."""
        return self._get("stats")

    def counts(self, tokens: Sequence[str], *, project: str | None = None) -> list[int]:
        """Return how often a message to each of these was accepted, in their order."""
        counts: list[int] = []
        for start in range(0, len(tokens), _TOKENS_PER_CALL):
            some = list(tokens[start : start + _TOKENS_PER_CALL])
            counts += self._post("receipts", {"tokens": some, "project": project})["counts"]
        return counts

    def watch(self, tokens: Sequence[str]) -> None:
        """Have the emulator note when messages to these are accepted, from now to the reset."""
        self._post("watch", {"tokens": list(tokens)})

    def watched(self) -> list[float]:
        """Return when messages to the watched targets were accepted (UNIX time), in order."""
        times: list[float] = self._get("watch")["accepted_at"]
        return times

    def receipts(self, *, project: str | None = None) -> Iterator[Json]:
        """Yield project, token and count of all accepted; asks for `--keep-tokens`."""
        query = f"?project={quote(project)}" if project else ""
        for line in self._call(f"receipts{query}", None).splitlines():
            yield json.loads(line)

    def messages(self, token: str) -> list[Json]:
        """Return the requests that were accepted for an explicit token, in full."""
        found: list[Json] = self._get(f"messages?token={quote(token)}")["messages"]
        return found

    def _get(self, path: str) -> Json:
        answer: Json = json.loads(self._call(path, None))
        return answer

    def _post(self, path: str, body: Json) -> Json:
        answer: Json = json.loads(self._call(path, json.dumps(body).encode()))
        return answer

    def _call(self, path: str, body: bytes | None) -> bytes:
        request = Request(f"{self._url}/_ctl/{path}", data=body)  # noqa: S310  it is our own
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                content: bytes = answer.read()
                return content
        except HTTPError as exc:
            raise ControlError(exc.read().decode()) from exc
