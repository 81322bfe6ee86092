from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.segments.errors import RulesRefused
from devices.segments.rules import (
    MAX_CONDITIONS,
    AllOf,
    AnyOf,
    Condition,
    Not,
    conditions,
    lists_in,
    parse_rules,
)

GERMANY = {"field": "country", "op": "eq", "value": "DE"}


def problems(given: Any) -> list[tuple[str, str]]:
    with pytest.raises(RulesRefused) as refused:
        parse_rules(given)
    return [(place, reason) for place, reason in refused.value.problems]


def value_of(field: str, op: str, value: Any) -> Any:
    rule = parse_rules({"field": field, "op": op, "value": value})
    assert isinstance(rule, Condition)
    return rule.value


def test_a_tree_is_read_whole() -> None:
    given = {"all": [GERMANY, {"any": [{"not": GERMANY}]}]}
    germany = Condition("country", "eq", "DE")
    assert parse_rules(given) == AllOf((germany, AnyOf((Not(germany),))))


@pytest.mark.parametrize(
    ("field", "op", "given", "stored"),
    [
        ("country", "eq", "de", "DE"),
        ("language", "in", ["pt_br", "EN"], ["pt-BR", "en"]),
        ("language", "matches", "pt_BR", "pt-BR"),
        ("app_version", "eq", " 1.0-beta ", "1.0-beta"),
        ("app_version", "gte", "v1.10.2 (7)", (1, 10, 2)),
        ("last_seen_at", "within_last", "30d", timedelta(days=30)),
        ("created_at", "not_within_last", "90m", timedelta(minutes=90)),
        ("created_at", "before", "2026-03-01T02:00:00+02:00", datetime(2026, 3, 1, tzinfo=UTC)),
        ("tags.a.b", "eq", True, True),
        ("tags.plan", "contains", " ", " "),
        ("user_id", "in_list", 7, 7),
    ],
)
def test_values_are_read_as_they_are_stored(field: str, op: str, given: Any, stored: Any) -> None:
    assert value_of(field, op, given) == stored


@pytest.mark.parametrize(
    ("given", "place", "reason"),
    [
        (None, "rules", "Must be an object."),
        ([], "rules", "Must be an object."),
        ({}, "rules", "Must have either"),
        ({"all": [], "any": []}, "rules", "Must have either"),
        ({"all": []}, "rules.all", "Must be an array of at least one rule."),
        ({"all": {}}, "rules.all", "Must be an array"),
        ({"any": [GERMANY, 7]}, "rules.any[1]", "Must be an object."),
        ({"not": [GERMANY]}, "rules.not", "Must be an object."),
        ({"nor": GERMANY}, "rules", "Must have either"),
        (GERMANY | {"all": []}, "rules", "A condition has just"),
        ({"field": "country", "op": "eq"}, "rules", "A condition has just"),
        (GERMANY | {"field": "planet"}, "rules.field", "Must be one of platform, language"),
        (GERMANY | {"field": ["country"]}, "rules.field", "Must be one of"),
        (GERMANY | {"field": "membership"}, "rules.field", "Must be one of"),
        (GERMANY | {"field": "tags."}, "rules.field", "A tag's name must not be empty"),
        (GERMANY | {"field": "tags.\0"}, "rules.field", "NUL"),
        (GERMANY | {"op": "lt"}, "rules.op", "Must be one of eq, ne, in, not_in, exists."),
        (GERMANY | {"op": {}}, "rules.op", "Must be one of"),
        (GERMANY | {"value": "Germany"}, "rules.value", "two-letter code"),
        (GERMANY | {"value": ""}, "rules.value", "Must not be empty"),
        (GERMANY | {"value": None}, "rules.value", "Must be text."),
        (GERMANY | {"op": "in", "value": "DE"}, "rules.value", "Must be an array"),
        (GERMANY | {"op": "in", "value": []}, "rules.value", "at least one"),
        (GERMANY | {"op": "in", "value": ["DE"] * 1_001}, "rules.value", "more than 1000"),
        (GERMANY | {"op": "exists", "value": 1}, "rules.value", "true or false"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(given: Any, place: str, reason: str) -> None:
    [(found, words)] = problems(given)
    assert found == place
    assert reason in words


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("app_version", "lt", "beta"),
        ("last_seen_at", "within_last", "30"),
        ("last_seen_at", "within_last", "0d"),
        ("last_seen_at", "within_last", "9999w"),
        ("last_seen_at", "within_last", 30),
        ("last_seen_at", "before", "yesterday"),
        ("last_seen_at", "after", "2026-03-01"),
        ("tags.n", "gt", "7"),
        ("tags.n", "gt", True),
        ("tags.n", "gt", float("nan")),
        ("tags.n", "lt", 2**60),
        ("tags.n", "eq", None),
        ("tags.n", "eq", {}),
        ("tags.n", "contains", ""),
        ("tags.n", "contains", "\ud800"),
        ("user_id", "eq", "a\0"),
        ("user_id", "in_list", True),
        ("user_id", "in_list", 0),
        ("user_id", "in_list", 2**63),
        ("user_id", "in", ["x"] * 10_001),
    ],
)
def test_a_value_that_is_none_for_the_operator_is_refused(field: str, op: str, value: Any) -> None:
    [(place, _)] = problems({"field": field, "op": op, "value": value})
    assert place == "rules.value"


def test_every_problem_is_named() -> None:
    given = {
        "all": [GERMANY | {"op": "?"}, {"any": [GERMANY, {"not": {}}]}, GERMANY | {"value": 1}]
    }
    assert [place for place, _ in problems(given)] == [
        "rules.all[0].op",
        "rules.all[1].any[1].not",
        "rules.all[2].value",
    ]


def test_trees_are_bounded_in_depth_and_size() -> None:
    deep: Any = GERMANY
    for _ in range(9):
        deep = {"not": deep}
    assert isinstance(parse_rules(deep), Not)
    [(place, reason)] = problems({"not": deep})
    assert place == "rules" + ".not" * 10
    assert reason == "Lies deeper than 10 levels."
    parse_rules({"all": [GERMANY] * MAX_CONDITIONS})
    halves = {"any": [{"all": [GERMANY] * 60}] * 2}
    assert problems(halves) == [("rules", "Has more than 100 conditions.")]
    assert problems({"any": [GERMANY] * 101}) == [("rules.any", "Has more than 100 parts.")]


def test_a_list_that_is_not_there_is_refused() -> None:
    rule = {"field": "user_id", "op": "in_list", "value": 7}
    with pytest.raises(RulesRefused, match=r"rules\.not\.value: There is no user list 7"):
        parse_rules({"not": rule}, has_list=lambda _: False)
    assert lists_in(parse_rules({"not": rule})) == {7}
    assert [one.op for one in conditions(parse_rules({"any": [rule, GERMANY]}))] == [
        "in_list",
        "eq",
    ]
