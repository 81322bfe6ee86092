"""Rules: a tree of conditions on devices, written in JSON, checked here.

    {"all": [rule, …]}   {"any": [rule, …]}   {"not": rule}
    {"field": "country", "op": "in", "value": ["DE", "AT"]}

Every rule is either true or false of a device, and `not`, `ne` and `not_in` are the plain opposite:
a device of which a fact is not known is not in Germany. Bounds keep a tree from becoming a query
that no planner gets through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from devices.rules import Problem
from devices.segments.errors import RulesRefused
from devices.segments.fields import INTERNAL_FIELDS, Operators, operators_of
from devices.values import ValueRefused

MAX_DEPTH: Final = 10
MAX_CONDITIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact of a device compared with a value, which is as it is stored."""

    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where each part is."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where a part is."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is not."""

    part: Rule


Rule: TypeAlias = AllOf | AnyOf | Not | Condition


def parse_rules(given: object, *, has_list: Callable[[int], bool] = lambda _list_id: True) -> Rule:
    """Return the rules that the JSON value holds; `has_list` tells which lists they may name.

    Raises:
        RulesRefused: it holds none; every problem is named with its place.
    """
    reader = _Reader(max_depth=MAX_DEPTH, max_conditions=MAX_CONDITIONS, has_list=has_list)
    return reader.read_all(given)


def parse_fixed_rules(given: object) -> Rule:
    """Return rules that were put together from rules checked before; see `audience.fix_rules`.

    Raises:
        RulesRefused: they are none of ours.
    """
    reader = _Reader(
        max_depth=2 * MAX_DEPTH, max_conditions=4 * MAX_CONDITIONS, fields=INTERNAL_FIELDS
    )
    return reader.read_all(given)


def conditions(rule: Rule) -> Iterator[Condition]:
    """Yield every condition in the tree."""
    match rule:
        case Condition():
            yield rule
        case Not(part):
            yield from conditions(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from conditions(part)


def lists_in(rule: Rule) -> set[int]:
    """Return the ids of the user lists that the tree names."""
    return {one.value for one in conditions(rule) if one.op == "in_list"}


class _Reader:
    """Reads one tree."""

    def __init__(
        self,
        *,
        max_depth: int,
        max_conditions: int,
        has_list: Callable[[int], bool] = lambda _list_id: True,
        fields: Mapping[str, Operators] = {},
    ) -> None:
        self._max_depth = max_depth
        self._max_conditions = max_conditions
        self._has_list = has_list
        self._fields = fields

    def read_all(self, given: object) -> Rule:
        rule = self._read(given, "rules", depth=1)
        if len(list(conditions(rule))) > self._max_conditions:
            raise _refusal("rules", f"Has more than {self._max_conditions} conditions.")
        return rule

    def _read(self, given: object, place: str, *, depth: int) -> Rule:
        if depth > self._max_depth:
            raise _refusal(place, f"Lies deeper than {self._max_depth} levels.")
        if not isinstance(given, dict):
            raise _refusal(place, "Must be an object.")
        if "field" in given:
            return self._condition(given, place)
        if len(given) != 1 or not given.keys() <= {"all", "any", "not"}:
            words = "Must have either `all`, `any` or `not`, or `field`, `op` and `value`."
            raise _refusal(place, words)
        [(kind, inner)] = given.items()
        if kind == "not":
            return Not(self._read(inner, f"{place}.not", depth=depth + 1))
        parts = self._parts(inner, f"{place}.{kind}", depth=depth + 1)
        return AllOf(parts) if kind == "all" else AnyOf(parts)

    def _parts(self, given: object, place: str, *, depth: int) -> tuple[Rule, ...]:
        if not isinstance(given, list) or not given:
            raise _refusal(place, "Must be an array of at least one rule.")
        if len(given) > self._max_conditions:
            raise _refusal(place, f"Has more than {self._max_conditions} parts.")
        parts: list[Rule] = []
        problems: list[Problem] = []
        for index, inner in enumerate(given):
            try:
                parts.append(self._read(inner, f"{place}[{index}]", depth=depth))
            except RulesRefused as refusal:
                problems += refusal.problems
        if problems:
            raise RulesRefused(problems)
        return tuple(parts)

    def _condition(self, given: Mapping[str, object], place: str) -> Condition:
        if given.keys() != {"field", "op", "value"}:
            raise _refusal(place, "A condition has just `field`, `op` and `value`.")
        field, op = str(given["field"]), given["op"]
        try:
            operators = self._fields.get(field) or operators_of(given["field"])
        except ValueRefused as refusal:
            raise _refusal(f"{place}.field", str(refusal)) from refusal
        if not isinstance(op, str) or op not in operators:
            raise _refusal(f"{place}.op", f"Must be one of {', '.join(operators)}.")
        try:
            value = operators[op](given["value"])
        except ValueRefused as refusal:
            raise _refusal(f"{place}.value", str(refusal)) from refusal
        if op == "in_list" and not self._has_list(value):
            words = f"There is no user list {value}, or it has not been read in yet."
            raise _refusal(f"{place}.value", words)
        return Condition(field, op, value)


def _refusal(place: str, reason: str) -> RulesRefused:
    return RulesRefused([Problem(place, reason)])
