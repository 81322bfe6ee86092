"""From rules to one condition of SQL; every value goes as a parameter.

condition                 is answered by
platform, language, …     device_facts: the facts that many devices share
app_version by order      device_facts: its few different versions are compared, not its rows
user_id                   device_of_user
in_list                   the key of the lists' members
tags, last_seen_at, …     no index, for each would cost every import or every start of an app;
                          a reading of the devices in the order of their ids, or a sample
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any, Final, NamedTuple, assert_never

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, Value
from django.db.models.sql.compiler import SQLCompiler

from devices.segments.fields import TAGS, tag_name
from devices.segments.models import ListMember
from devices.segments.rules import AllOf, AnyOf, Condition, Not, Rule
from devices.segments.versions import greatest_key, least_key


class IdRange(NamedTuple):
    """Device ids: after the one, up to and with the other."""

    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Compiler:
    """Turns rules into a condition, true at the moment `now` of devices `within` a range."""

    now: datetime
    within: IdRange | None = None

    def compile(self, rule: Rule) -> Q:
        """Return the condition; never NULL, so that its negation is the plain opposite."""
        match rule:
            case AllOf(parts):
                return reduce(and_, map(self.compile, parts))
            case AnyOf(parts):
                return reduce(or_, map(self.compile, parts))
            case Not(part):
                return ~self.compile(part)
            case Condition():
                return self._condition(rule)
            case _:
                assert_never(rule)

    def _condition(self, one: Condition) -> Q:
        if one.op in _OPPOSITES:
            return ~self._condition(Condition(one.field, _OPPOSITES[one.op], one.value))
        if one.field.startswith(TAGS):
            return _tag(tag_name(one.field), one.op, one.value)
        if one.op == "member_of":
            return self._in_membership(one.value)
        if one.op in _SYMBOLS:
            return _version(one.op, one.value)
        if one.op == "in_list":
            member = ListMember.objects.filter(user_list=one.value, user_id=OuterRef("user_id"))
            return Q(Exists(member))
        return self._fact(one.field, one.op, one.value)

    def _fact(self, field: str, op: str, value: Any) -> Q:
        match op:
            case "matches":  # RFC 4647 §3.3.1: `pt` is `pt` and `pt-BR`, and not `ptx`
                return Q((field, value)) | Q((f"{field}__startswith", f"{value}-"))
            case "exists":
                return ~Q((field, "")) if value else Q((field, ""))
            case "within_last":
                return Q((f"{field}__gte", self.now - value))
            case _:
                return Q((f"{field}__{_LOOKUPS[op]}", value))

    def _in_membership(self, membership_id: int) -> Q:
        if self.within is None:
            return Q(_Test(_IN_MEMBERSHIP, F("id"), membership_id, F("id")))
        after, until = self.within
        return Q(_Test(_IN_PART, F("id"), membership_id, membership_id, after, until))


class _Test(Func):
    """SQL that is true or false; each `{}` takes a column, or a value as a parameter."""

    output_field = BooleanField()

    def __init__(self, sql: str, *parts: object) -> None:
        super().__init__(*(part if isinstance(part, F) else Value(part) for part in parts))
        self._sql = sql

    def as_sql(  # type: ignore[override]  # nobody gives the options of Func's own
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,  # noqa: ARG002 - Django gives it to every expression
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the test with its columns' names, and its parameters."""
        compiled = [compiler.compile(part) for part in self.get_source_expressions()]
        params = tuple(param for _, params in compiled for param in params)
        return self._sql.format(*(sql for sql, _ in compiled)), params


_OPPOSITES: Final = {"ne": "eq", "not_in": "in", "not_within_last": "within_last"}
_LOOKUPS: Final = {"eq": "exact", "in": "in", "before": "lt", "after": "gte"}
_SYMBOLS: Final = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
# The different versions are hopped over in the index: a few hundred steps for any number of rows.
_VERSION: Final = """{{}} IN (
  WITH RECURSIVE one (version) AS (
    SELECT min(app_version) FROM devices_devicetoken WHERE is_active
    UNION ALL
    SELECT (SELECT min(device.app_version) FROM devices_devicetoken AS device
             WHERE device.is_active AND device.app_version > one.version)
      FROM one WHERE one.version IS NOT NULL
  ) SELECT version FROM one WHERE pushcore_version_key(version) {symbol} {{}}::bigint[])"""
# Each device looks for the one chunk that could hold it.
_IN_MEMBERSHIP: Final = """COALESCE({} = ANY ((
  SELECT device_ids FROM segments_memberchunk WHERE membership_id = {} AND first_id <= {}
   ORDER BY first_id DESC LIMIT 1)::bigint[]), false)"""
# The few chunks of a range of ids are read at once.
_IN_PART: Final = """{} IN (
  SELECT unnest(device_ids) FROM segments_memberchunk
   WHERE membership_id = {} AND first_id >= COALESCE((
           SELECT max(first_id) FROM segments_memberchunk
            WHERE membership_id = {} AND first_id <= {}), 0)
     AND first_id <= {})"""
# Values of JSON are compared as such: they have their order, and no cast that could fail.
_TAG_NUMBER: Final = (
    "COALESCE(jsonb_typeof({{}} -> {{}}) = 'number' AND ({{}} -> {{}}) {symbol} {{}}::jsonb, false)"
)
_TAG_IN: Final = "COALESCE(({} -> {}) = ANY ({}::jsonb[]), false)"
_TAG_CONTAINS: Final = (
    "COALESCE(jsonb_typeof({} -> {}) = 'string' AND strpos({} ->> {}, {}) > 0, false)"
)
_TAG_EXISTS: Final = "({} ? {}) = {}"


def _tag(name: str, op: str, value: Any) -> Q:
    tags = F("tags")
    match op:
        case "eq":
            return Q(_Test(_TAG_IN, tags, name, [json.dumps(value)]))
        case "in":
            return Q(_Test(_TAG_IN, tags, name, [json.dumps(one) for one in value]))
        case "contains":
            return Q(_Test(_TAG_CONTAINS, tags, name, tags, name, value))
        case "exists":
            return Q(_Test(_TAG_EXISTS, tags, name, value))
        case _:
            number = _TAG_NUMBER.format(symbol=_SYMBOLS[op])
            return Q(_Test(number, tags, name, tags, name, json.dumps(value)))


def _version(op: str, key: tuple[int, ...]) -> Q:
    bound = greatest_key(key) if op in ("gt", "lte") else least_key(key)
    return Q(_Test(_VERSION.format(symbol=_SYMBOLS[op]), F("app_version"), bound))
