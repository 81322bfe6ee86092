"""Doing things at the same moment, on real database connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from celery import current_app
from django.db import connection

Result = TypeVar("Result")


def in_own_connection(call: Callable[[], Result]) -> Result:
    """Call `call`, to be run in a thread, and close the connections that the thread has made."""
    try:
        return call()
    finally:
        connection.close()
        close_result_backend()


def close_result_backend() -> None:
    """Close this thread's connections to where Celery counts a chord's parts, if it has any."""
    backend = getattr(current_app, "_backend", None)  # asked for by `backend`, it would be made
    if backend is not None:
        # A chord's result listens to each of its parts; it would open a connection again, when it
        # is collected, to say that it no longer does.
        backend.result_consumer.subscribed_to.clear()
        backend.client.connection_pool.disconnect()


def run_at_once(count: int, call: Callable[[], Result]) -> list[Result]:
    """Call `call` in so many threads at the same moment; return what each call returned.

    Each thread has a database connection of its own, so the test needs a database whose rows are
    committed (`transaction=True`).
    """
    barrier = Barrier(count)

    def run() -> Result:
        connection.ensure_connection()
        barrier.wait(timeout=30)
        return call()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(in_own_connection, run) for _ in range(count)]
        return [future.result() for future in futures]


def cut_the_connection() -> None:
    """End this thread's connection to the database from outside, as a restart does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()

    def end() -> None:
        with connection.cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    run_at_once(1, end)
