"""How a driver and who measures it talk: lines on stdin and stdout, the same in every language.

The job is the first argument, a JSON object. When everything is prepared the driver says so; a
line on stdin lets it send; then it says what the library told of each message, and stays until
stdin ends, so that its processor time can still be read. Its lines begin with `MARK`, as libraries
print what they like.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MARK = "rival "
BATCH = 500
"""The most messages that one call of `send_each` takes."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a driver is to send, and as whom."""

    service_account: str
    """Path of the account's JSON file."""
    title: str
    body: str
    tokens: list[str]

    def batches(self) -> Iterator[list[str]]:
        """Yield the tokens by the `BATCH`."""
        for start in range(0, len(self.tokens), BATCH):
            yield self.tokens[start : start + BATCH]


@dataclass(slots=True)
class Told:
    """What the library said became of the messages."""

    succeeded: int = 0
    failed: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, responses: Iterable[Any]) -> None:
        """Count responses: firebase-admin's and those modelled on them."""
        for response in responses:
            if response.success:
                self.succeeded += 1
            else:
                self.failed += 1
                # Without its numbers (streams, ports) one trouble reads alike each time.
                words = re.sub(r"\d+", "…", repr(response.exception))
                self.errors[words[:200]] += 1


def drive(prepare: Callable[[Job], Callable[[], Told]]) -> None:
    """Run a driver: `prepare` is not measured, what it returns sends and is."""
    job = json.loads(sys.argv[1])
    # 150 digits, as long as registration tokens are; the same ones for everybody.
    tokens = [f"{device:0150d}" for device in range(job["first"], job["messages"], job["step"])]
    send = prepare(Job(job["service_account"], job["title"], job["body"], tokens))
    _say({"ready": True})
    sys.stdin.readline()
    told = send()
    errors = dict(told.errors.most_common(3))
    _say({"succeeded": told.succeeded, "failed": told.failed, "errors": errors})
    sys.stdin.read()


def _say(what: dict[str, Any]) -> None:
    print(f"{MARK}{json.dumps(what)}", flush=True)
