from __future__ import annotations

import threading

from scripts.demo_run.repeating import Repeating


class Counting(Repeating):
    def __init__(self, *, interval_s: float) -> None:
        super().__init__(interval_s=interval_s)
        self.times = 0
        self.thrice = threading.Event()

    def _once(self) -> None:
        self.times += 1
        if self.times == 3:
            self.thrice.set()


def test_it_is_done_at_once_and_again_until_the_block_ends() -> None:
    with Counting(interval_s=0.001) as counting:
        assert counting.thrice.wait(10)
    assert "Counting" not in {thread.name for thread in threading.enumerate()}


def test_a_long_interval_does_not_keep_the_block_open() -> None:
    with Counting(interval_s=3_600) as counting:
        pass
    assert counting.times == 1
