"""Something that is done again and again beside the work, in a thread."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Repeating(ABC):
    """Calls `_once` at the beginning of a `with` block and at every interval until it ends."""

    def __init__(self, *, interval_s: float) -> None:
        self._interval_s = interval_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _repeat(self) -> None:
        while True:
            self._once()
            if self._ended.wait(self._interval_s):
                return

    @abstractmethod
    def _once(self) -> None: ...
