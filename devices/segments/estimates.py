"""How many devices an audience has, and some of them: within a second, however many there are.

Counting comes first: rules over facts and user ids are counted in an index alone, ten million
devices in half a second. What takes longer is cut short, and estimated from a part of the table's
pages, the same at every time, so that the same question has the same answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from django.db.models import Count, QuerySet
from psycopg2.errors import QueryCanceled

from devices.audience import Audience
from devices.models import DeviceToken
from pushcore.messages import Platform

COUNT_FOR_MS: Final = 500
LOOK_FOR_MS: Final = 300
SAMPLED_PAGES: Final = 2_500
"""Of 8 kB: some 60,000 devices."""
SAMPLE: Final = 20
_PAGES: Final = (
    "SELECT pg_relation_size('devices_devicetoken') / current_setting('block_size')::int"
)
# Each page is drawn with the same chance, alone of the others (Horvitz and Thompson 1952): devices
# that lie together are alike, so they are no draws of their own, and empty pages mislead nobody.
_ESTIMATE: Final = """
WITH device AS (
  SELECT (devices_devicetoken.ctid::text::point)[0] AS page,
         CASE WHEN {condition} THEN platform END AS chosen
    FROM devices_devicetoken TABLESAMPLE SYSTEM (%s) REPEATABLE (1)
), page AS (
  SELECT count(chosen) AS every, count(*) FILTER (WHERE chosen = 'android') AS android,
         count(*) FILTER (WHERE chosen = 'ios') AS ios,
         count(*) FILTER (WHERE chosen = 'web') AS web
    FROM device GROUP BY page
) SELECT coalesce(sum(every * every), 0), coalesce(sum(android), 0), coalesce(sum(ios), 0),
         coalesce(sum(web), 0) FROM page
"""
_FIND: Final = """
SELECT id FROM devices_devicetoken TABLESAMPLE SYSTEM (%s) REPEATABLE (1)
 WHERE {condition} ORDER BY hashint8(id) LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many active devices an audience has."""

    total: int
    platforms: dict[str, int]
    """By platform, each of them there; they sum up to `total`."""
    is_exact: bool
    margin: int
    """The total is within so many of it, nineteen times out of twenty; 0 where it is exact."""


def estimate(audience: Audience) -> Reach:
    """Return how many devices the audience has, counted if that is a matter of a moment."""
    devices = audience.devices().order_by().values_list("platform")
    counted = _rows_within(COUNT_FOR_MS, devices.annotate(count=Count("*")))
    if counted is None:
        return _sampled(audience)
    return reach_of(dict(counted))


def reach_of(platforms: dict[str, int]) -> Reach:
    """Return what was counted, by platform, as a reach."""
    every = {one.value: platforms.get(one.value, 0) for one in Platform}
    return Reach(total=sum(every.values()), platforms=every, is_exact=True, margin=0)


def sample(audience: Audience) -> list[DeviceToken]:
    """Return some of the audience's devices, spread over all; fewer only where few are found."""
    condition, params = _condition(audience)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        percent = _percent(_page_count())
        cursor.execute(_FIND.format(condition=condition), [percent, *params, SAMPLE])
        found = [device_id for [device_id] in cursor.fetchall()]
    if len(found) < SAMPLE and percent < 100:
        others = audience.devices().exclude(pk__in=found).values_list("pk")
        rest = _rows_within(LOOK_FOR_MS, others[: SAMPLE - len(found)])
        found += [device_id for [device_id] in rest or []]
    return list(DeviceToken.objects.select_related("project").filter(pk__in=found).order_by("pk"))


def _sampled(audience: Audience) -> Reach:
    condition, params = _condition(audience)
    share = _percent(_page_count()) / 100
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off")
        cursor.execute(_ESTIMATE.format(condition=condition), [*params, share * 100])
        squares, *found = cursor.fetchone()
    counts = dict(zip(("android", "ios", "web"), map(int, found), strict=True))
    if share == 1:
        return reach_of(counts)
    platforms = {name: round(count / share) for name, count in counts.items()}
    deviation = math.sqrt((1 - share) * float(squares)) / share
    # Where nobody was found there may be some: the rule of three.
    margin = max(1.96 * deviation, 3 / share)
    return Reach(sum(platforms.values()), platforms, is_exact=False, margin=round(margin))


def _condition(audience: Audience) -> tuple[str, list[Any]]:
    """Return what chooses the audience, to stand in a query over the table of devices."""
    query = audience.devices().query
    compiler = query.get_compiler(connection=connection)
    compiler.pre_sql_setup()
    sql, params = compiler.compile(query.where)
    return sql, list(params)


def _page_count() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_PAGES)
        [pages] = cursor.fetchone()
    return int(pages)


def _percent(pages: int) -> float:
    return min(100.0, 100 * SAMPLED_PAGES / max(pages, 1))


def _rows_within(limit_ms: int, rows: QuerySet[Any, Any]) -> list[Any] | None:
    """Return the query's rows; None where that takes longer."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL jit = off; SET LOCAL statement_timeout = %s", [limit_ms])
            found = list(rows)
            cursor.execute("RESET statement_timeout")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise
    return found
