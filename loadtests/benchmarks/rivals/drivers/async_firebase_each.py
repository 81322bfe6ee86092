"""async-firebase: 500 messages a call, over HTTP/2.

`use_http2` is its own option, and its best: over HTTP/1.1 it keeps 20 of its 100 connections, opens
the others anew, and is several times slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from async_firebase import AndroidConfig, AsyncFirebaseClient, MulticastMessage

from loadtests.benchmarks.rivals.drivers.driving import Job, Told, drive


def prepare(job: Job) -> Callable[[], Told]:
    """Return what sends."""
    return lambda: asyncio.run(_send(job))


async def _send(job: Job) -> Told:
    told = Told()
    android = AndroidConfig.build(priority="high", title=job.title, body=job.body)
    async with AsyncFirebaseClient(use_http2=True) as client:
        client.creds_from_service_account_file(job.service_account)
        for tokens in job.batches():
            message = MulticastMessage(android=android, tokens=tokens)
            told.add((await client.send_each_for_multicast(message)).responses)
    return told


if __name__ == "__main__":
    drive(prepare)
