from __future__ import annotations

import pytest

from pushcore.messages import Platform
from pushcore.platform_holds import PLATFORM_HOLD_S, PlatformHolds

IOS, ANDROID = Platform.IOS, Platform.ANDROID


def answers(platform: Platform, *, blamed: int, fine: int) -> list[tuple[Platform, bool]]:
    return [(platform, True)] * blamed + [(platform, False)] * fine


def test_a_platform_whose_key_nearly_all_blame_is_held_alone() -> None:
    holds = PlatformHolds()

    holds.hear(answers(IOS, blamed=18, fine=2) + answers(ANDROID, blamed=0, fine=50), now=100.0)

    assert holds.held(100.0) == {IOS}


def test_a_hold_ends_so_that_a_mended_key_is_noticed() -> None:
    holds = PlatformHolds()
    holds.hear(answers(IOS, blamed=20, fine=0), now=100.0)

    assert holds.held(100.0 + PLATFORM_HOLD_S - 0.1) == {IOS}
    assert holds.held(100.0 + PLATFORM_HOLD_S) == set()


@pytest.mark.parametrize(("blamed", "fine"), [(19, 0), (17, 3)])
def test_too_few_answers_or_too_small_a_share_hold_nobody(blamed: int, fine: int) -> None:
    holds = PlatformHolds()

    holds.hear(answers(IOS, blamed=blamed, fine=fine), now=100.0)

    assert holds.held(100.0) == set()
