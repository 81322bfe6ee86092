"""What may be said about a device: one set of rules for the API, bulk calls and files.

None, or a field left out, says nothing: what is stored stays. "" clears a text.

    RowRefused  what was given breaks rules; `problems` names each field and the reason
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from devices import values
from devices.values import ValueRefused

Given = Mapping[str, object]
Reader = Callable[[object], object]
Value = TypeVar("Value")
_AHEAD: Final = timedelta(days=1)
"""A clock may be wrong by so much; a later `last_seen_at` would never grow stale."""
_MAX_KNOWN_FACTS: Final = 10_000
"""Combinations kept in memory: a file has a few hundred, whatever its length."""
_TEXTS: Final[Mapping[str, Reader]] = {
    "language": values.language,
    "country": values.country,
    "timezone": values.timezone,
    "app_version": values.app_version,
}
_GIVEN: Final[Mapping[str, Reader]] = {
    "user_id": values.user_id,
    "platform": values.platform,
    **_TEXTS,
    "tags": values.tags,
}
CHANGEABLE: Final[Mapping[str, Reader]] = {**_GIVEN, "is_active": values.flag}
"""What can be changed of a registered device: not what it is addressed by."""
REQUIRED: Final = ("user_id", "address", "platform")
MISSING: Final = "This field is required."
NOT_SETTABLE: Final = "There is no such field, or it cannot be set."
FACTS: Final = ("project", "platform", "address_kind", *_TEXTS)
"""What `Facts` are made of, in its order."""
FIELDS: Final = frozenset({*REQUIRED, *FACTS, "tags", "last_seen_at"})
"""All that can be given about a device."""


class Problem(NamedTuple):
    """One broken rule."""

    field: str
    """Empty where the row as a whole is no device."""
    reason: str


class RowRefused(Exception):
    """What was given about a device breaks rules."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in problems))


class Facts(NamedTuple):
    """What many devices have in common; None says nothing."""

    project_id: int
    platform: str
    address_kind: str | None
    language: str | None
    country: str | None
    timezone: str | None
    app_version: str | None


class Row(NamedTuple):
    """A device as it is to be stored; None says nothing."""

    user_id: str
    address: str
    facts: Facts
    tags: str | None
    """A JSON object."""
    last_seen_at: datetime | None


class RowRules:
    """The rules, with the projects there are and the moment they are applied at."""

    def __init__(
        self, *, projects: Mapping[str, int], default_project: str | None, now: datetime
    ) -> None:
        self._projects = projects
        self._default_project = default_project
        self._latest = now + _AHEAD
        self._known: dict[tuple[object, ...], Facts] = {}
        self._readers: Mapping[str, Reader] = {
            "project": self._project,
            **_GIVEN,
            "address": values.address,
            "address_kind": values.address_kind,
            "last_seen_at": self.moment,
        }

    @property
    def project_keys(self) -> Collection[int]:
        """The keys of the projects that rows can belong to."""
        return self._projects.values()

    def check(self, given: Given) -> Row:
        """Return what was given as it is to be stored.

        Raises:
            RowRefused: rules are broken; all of them are named.
        """
        try:
            if given.keys() <= FIELDS:
                return self._read(given)
        except (KeyError, TypeError, ValueRefused):
            pass  # something is wrong: look at everything
        raise RowRefused(_problems(given, self._readers, required=REQUIRED))

    def _read(self, given: Given) -> Row:
        """Read the row as if all were well: nearly every row of a file is."""
        get = given.get
        tags, seen = get("tags"), get("last_seen_at")
        return Row(
            values.user_id(given["user_id"]),
            values.address(given["address"]),
            self.facts(tuple(map(get, FACTS))),
            None if tags is None else values.tags(tags),
            None if seen is None else self.moment(seen),
        )

    def facts(self, key: tuple[object, ...]) -> Facts:
        """Return the facts that are given in the order of `FACTS`.

        Raises:
            ValueRefused: a rule is broken.
            TypeError: one is a list or an object.
        """
        return self._known.get(key) or self._new_facts(key)

    def moment(self, value: object) -> datetime:
        """Return a moment that a device may have been seen at.

        Raises:
            ValueRefused: it is none.
        """
        return values.moment(value, latest=self._latest)

    def _new_facts(self, key: tuple[object, ...]) -> Facts:
        """Read facts that were not met before, and remember them."""
        project, platform, kind, language, country, timezone, version = key
        facts = Facts(
            self._project(project),
            values.platform(platform),
            _optional(values.address_kind, kind),
            _optional(values.language, language),
            _optional(values.country, country),
            _optional(values.timezone, timezone),
            _optional(values.app_version, version),
        )
        if len(self._known) >= _MAX_KNOWN_FACTS:
            self._known.clear()
        self._known[key] = facts
        return facts

    def _project(self, value: object) -> int:
        name = self._default_project if value is None else value
        if name is None:
            raise ValueRefused("This field is required: there is not exactly one FCM project.")
        if not isinstance(name, str) or name not in self._projects:
            raise ValueRefused("There is no such FCM project.")
        return self._projects[name]


def check_changes(given: Given) -> dict[str, object]:
    """Return changes of a registered device as they are to be stored, tags as JSON.

    Raises:
        RowRefused: rules are broken, or a field cannot be changed.
    """
    problems = _problems(given, CHANGEABLE, required=given.keys())
    if problems:
        raise RowRefused(problems)
    return {field: CHANGEABLE[field](value) for field, value in given.items()}


def _problems(
    given: Given, readers: Mapping[str, Reader], *, required: Collection[str]
) -> list[Problem]:
    """Name every broken rule."""
    # Whoever sent half of a surrogate pair as a name can't be answered with it.
    unknown = sorted(given.keys() - readers.keys())
    names = [name[:64].encode("utf-8", "replace").decode() for name in unknown]
    problems = [Problem(name, NOT_SETTABLE) for name in names]
    for field, read in readers.items():
        value = given.get(field)
        if value is None and field != "project":
            if field in required:
                problems.append(Problem(field, MISSING))
            continue
        try:
            read(value)
        except ValueRefused as refusal:
            problems.append(Problem(field, str(refusal)))
    return problems


def _optional(read: Callable[[object], Value], value: object) -> Value | None:
    return None if value is None else read(value)
