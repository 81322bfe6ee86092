"""What rules mean, said a second time in plain Python, and random rules and devices to compare.

The values come from small sets, so that rules and devices meet often.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from devices.models import DeviceToken
from tests.cast import NOW

LISTED = frozenset({"u1", "u3"})
"""The users in the one list there is."""
MOMENTS = [NOW - timedelta(days=days) for days in (0, 1, 7, 30, 31, 400)]
DURATIONS = {"1h": 1 / 24, "1d": 1, "7d": 7, "1w": 7, "30d": 30, "365d": 365}
VERSIONS = ["", "1", "1.0.0", "1.2", "1.9", "1.9.9", "1.10", "1.10.0.1", "v2.0-beta", "dev", "10"]
TAG_VALUES: list[Any] = ["pro", "free", "50%_\\", "7", "", True, False, 0, 1, 7, 7.0, 7.5, -3]
TAG_NAMES = ["plan", "0", "a.b__c", "%s {}"]

FACTS: dict[str, st.SearchStrategy[Any]] = {
    "platform": st.sampled_from(["android", "ios", "web"]),
    "language": st.sampled_from(["", "en", "en-GB", "pt", "pt-BR"]),
    "country": st.sampled_from(["", "DE", "BR", "US"]),
    "timezone": st.sampled_from(["", "Europe/Berlin", "Asia/Tokyo"]),
    "app_version": st.sampled_from(VERSIONS),
    "user_id": st.sampled_from(["u1", "u2", "u3"]),
    "last_seen_at": st.sampled_from(MOMENTS),
    "created_at": st.sampled_from(MOMENTS),
    "tags": st.dictionaries(st.sampled_from(TAG_NAMES), st.sampled_from(TAG_VALUES)),
}
devices = st.fixed_dictionaries(FACTS)


def _leaf(field: str, op: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return values.map(lambda value: {"field": field, "op": op, "value": value})


def _leaves(list_id: int) -> st.SearchStrategy[Any]:
    known = {
        name: FACTS[name].filter(bool)
        for name in ("platform", "language", "country", "timezone", "app_version", "user_id")
    }
    leaves = [
        _leaf(field, op, known[field] if op in ("eq", "ne") else st.lists(known[field], min_size=1))
        for field in known
        for op in ("eq", "ne", "in", "not_in")
    ]
    leaves += [_leaf("language", "matches", known["language"])]
    leaves += [
        _leaf(field, "exists", st.booleans())
        for field in ("language", "country", "timezone", "app_version")
    ]
    numbered = st.sampled_from([version for version in VERSIONS if version not in ("", "dev")])
    leaves += [_leaf("app_version", op, numbered) for op in ("lt", "lte", "gt", "gte")]
    written = st.sampled_from(MOMENTS).map(datetime.isoformat)
    leaves += [
        _leaf(field, op, written if op in ("before", "after") else st.sampled_from([*DURATIONS]))
        for field in ("last_seen_at", "created_at")
        for op in ("before", "after", "within_last", "not_within_last")
    ]
    leaves += [_tag_leaf(name) for name in TAG_NAMES]
    return st.one_of(*leaves, _leaf("user_id", "in_list", st.just(list_id)))


def _tag_leaf(name: str) -> st.SearchStrategy[Any]:
    values = st.sampled_from(TAG_VALUES)
    field = f"tags.{name}"
    texts = st.sampled_from(["p", "%", "50%_", "\\", "7", "{}"])
    return st.one_of(
        *[_leaf(field, op, values) for op in ("eq", "ne")],
        *[_leaf(field, op, st.lists(values, min_size=1)) for op in ("in", "not_in")],
        *[
            _leaf(field, op, st.sampled_from([0, 1, 7, 7.25, -4]))
            for op in ("lt", "lte", "gt", "gte")
        ],
        _leaf(field, "contains", texts),
        _leaf(field, "exists", st.booleans()),
    )


def trees(list_id: int) -> st.SearchStrategy[Any]:
    """Return random rule trees."""
    return st.recursive(
        _leaves(list_id),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=6,
    )


def holds(rule: dict[str, Any], device: DeviceToken) -> bool:
    """Return whether the rule is true of the device at `NOW`."""
    match rule:
        case {"all": parts}:
            return all(holds(part, device) for part in parts)
        case {"any": parts}:
            return any(holds(part, device) for part in parts)
        case {"not": part}:
            return not holds(part, device)
        case {"field": field, "op": op, "value": value}:
            return _leaf_holds(field, op, value, device)
    raise AssertionError(rule)


def _leaf_holds(field: str, op: str, value: Any, device: DeviceToken) -> bool:
    if field.startswith("tags."):
        return _tag_holds(field[5:], op, value, device.tags)
    fact: Any = getattr(device, field)
    if op in ("lt", "lte", "gt", "gte"):
        return _version_holds(fact, op, value)
    checks: dict[str, Callable[[], bool]] = {
        "eq": lambda: fact == value,
        "ne": lambda: fact != value,
        "in": lambda: fact in value,
        "not_in": lambda: fact not in value,
        "in_list": lambda: fact in LISTED,
        "matches": lambda: fact == value or fact.startswith(f"{value}-"),
        "exists": lambda: bool(fact) == value,
        "before": lambda: fact < datetime.fromisoformat(value),
        "after": lambda: fact >= datetime.fromisoformat(value),
        "within_last": lambda: NOW - fact <= timedelta(days=DURATIONS[value]),
        "not_within_last": lambda: NOW - fact > timedelta(days=DURATIONS[value]),
    }
    return checks[op]()


def _tag_holds(name: str, op: str, value: Any, tags: dict[str, Any]) -> bool:
    def same(one: Any, other: Any) -> bool:
        return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)

    if op == "exists":
        return (name in tags) is value
    if op in ("ne", "not_in"):
        return not _tag_holds(name, {"ne": "eq", "not_in": "in"}[op], value, tags)
    if name not in tags:
        return False
    tag = tags[name]
    if op == "contains":
        return isinstance(tag, str) and value in tag
    if op in ("eq", "in"):
        return any(same(tag, one) for one in (value if op == "in" else [value]))
    is_number = isinstance(tag, int | float) and not isinstance(tag, bool)
    return is_number and _compare(tag, op, value)


def _version_holds(version: str, op: str, value: str) -> bool:
    def numbers(text: str) -> list[int] | None:
        read = []
        for part in text.removeprefix("v").split("."):
            digits = part[: len(part) - len(part.lstrip("0123456789"))]
            if not digits:
                break
            read.append(int(digits))
            if digits != part:
                break
        return [*read, *[0] * (6 - len(read))] if read else None

    ours, theirs = numbers(version), numbers(value)
    return ours is not None and theirs is not None and _compare(ours, op, theirs)


def _compare(one: Any, op: str, other: Any) -> bool:
    return bool(
        {"lt": one < other, "lte": one <= other, "gt": one > other, "gte": one >= other}[op]
    )
