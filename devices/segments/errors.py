"""What can go wrong with segments and lists.

SegmentError
├── RulesRefused   the rules are none (400)
├── NameTaken      another one is called so (400)
├── NotStatic      only a static segment is evaluated ahead (409)
├── InUse          something would break without it (409)
└── NotReady       it is not evaluated, or not read in, yet (409)
"""

from __future__ import annotations

from collections.abc import Sequence

from devices.rules import Problem


class SegmentError(Exception):
    """What was asked of a segment or a list was refused, and nothing has changed."""


class RulesRefused(SegmentError):
    """The rules are none; each of `problems` names the place, such as `rules.all[2].value`."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{place}: {reason}" for place, reason in self.problems))


class NameTaken(SegmentError):
    """Another one is called so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is one called {name!r} already.")


class NotStatic(SegmentError):
    """Only a static segment is evaluated ahead."""

    def __init__(self) -> None:
        super().__init__("A dynamic segment is evaluated when a campaign is launched.")


class InUse(SegmentError):
    """Something would break without it; `users` says what, in words."""

    def __init__(self, what: str, users: Sequence[str]) -> None:
        self.users = list(users)
        super().__init__(f"{what} is used by {', '.join(self.users)}.")


class NotReady(SegmentError):
    """It is not evaluated, or not read in, yet."""
