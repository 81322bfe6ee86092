"""Doing things at the same moment, on real database connections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

Result = TypeVar("Result")


def run_at_once(count: int, call: Callable[[], Result]) -> list[Result]:
    """Call `call` in so many threads at the same moment; return what each call returned.

    Each thread has a database connection of its own, so the test needs a database whose rows are
    committed (`transaction=True`).
    """
    barrier = Barrier(count)

    def run() -> Result:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run) for _ in range(count)]
        return [future.result() for future in futures]
