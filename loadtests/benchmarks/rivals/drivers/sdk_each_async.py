"""firebase-admin for Python, `send_each_async`: 500 messages a call, over one HTTP/2 connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import firebase_admin
from firebase_admin import credentials, messaging

from loadtests.benchmarks.rivals.drivers.driving import Job, Told, drive
from loadtests.benchmarks.rivals.drivers.sdk_each import messages


def prepare(job: Job) -> Callable[[], Told]:
    """Return what sends."""
    firebase_admin.initialize_app(credentials.Certificate(job.service_account))
    return lambda: asyncio.run(_send(job))


async def _send(job: Job) -> Told:
    told = Told()
    for tokens in job.batches():
        told.add((await messaging.send_each_async(messages(job, tokens))).responses)
    return told


if __name__ == "__main__":
    drive(prepare)
