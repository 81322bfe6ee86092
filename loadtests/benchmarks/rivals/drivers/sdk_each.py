"""firebase-admin for Python, `send_each`: 500 messages a call, a thread for each of them."""

from __future__ import annotations

from collections.abc import Callable

import firebase_admin
from firebase_admin import credentials, messaging

from loadtests.benchmarks.rivals.drivers.driving import Job, Told, drive


def prepare(job: Job) -> Callable[[], Told]:
    """Return what sends."""
    firebase_admin.initialize_app(credentials.Certificate(job.service_account))

    def send() -> Told:
        told = Told()
        for tokens in job.batches():
            told.add(messaging.send_each(messages(job, tokens)).responses)
        return told

    return send


def messages(job: Job, tokens: list[str]) -> list[messaging.Message]:
    """Return a batch's messages."""
    return [
        messaging.Message(
            notification=messaging.Notification(title=job.title, body=job.body),
            android=messaging.AndroidConfig(priority="high"),
            token=token,
        )
        for token in tokens
    ]


if __name__ == "__main__":
    drive(prepare)
