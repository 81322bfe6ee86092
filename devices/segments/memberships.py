"""Who is in a static segment: evaluated by a worker, window by window in the order of device ids.

The rules are applied at the moment they were asked for, whenever the worker gets to it. A window
and the progress commit together: an evaluation that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from celery import current_app
from django.db import connection, transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from devices.audience import WINDOW, Audience, ByRules, newest_device_id, next_window
from devices.segments.compiling import IdRange
from devices.segments.errors import NotStatic
from devices.segments.models import BuildStatus, Membership, Segment, SegmentKind
from devices.segments.references import current_membership, users_of
from devices.segments.rules import parse_rules

logger = logging.getLogger(__name__)
CHUNK: Final = 200
IDLE: Final = timedelta(seconds=60)
_WRITE: Final = """
WITH chosen AS MATERIALIZED ({chosen}),
numbered AS (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) / %s AS place FROM chosen
),
written AS (
    INSERT INTO segments_memberchunk (membership_id, first_id, last_id, device_ids)
    SELECT %s, min(id), max(id), array_agg(id ORDER BY id) FROM numbered GROUP BY place
)
SELECT count(*) FILTER (WHERE platform = 'android'), count(*) FILTER (WHERE platform = 'ios'),
       count(*) FILTER (WHERE platform = 'web')
  FROM chosen
"""


def request_membership(*, segment_id: int, now: datetime) -> Membership:
    """Have a static segment evaluated; one evaluation that has not ended is enough for all.

    Raises:
        NotStatic: it is dynamic.
        Segment.DoesNotExist: there is no such segment.
    """
    with transaction.atomic():
        segment = Segment.objects.select_for_update(no_key=True).get(pk=segment_id)
        if segment.kind != SegmentKind.STATIC:
            raise NotStatic
        under_way = segment.memberships.filter(finished_at=None).first()
        if under_way is not None:
            return under_way
        membership = Membership.objects.create(
            segment=segment,
            rules=segment.rules,
            as_of=now,
            until_id=newest_device_id(),
            updated_at=now,
        )
        transaction.on_commit(lambda: _publish(membership.pk))
    return membership


def evaluate(*, membership_id: int, clock: Callable[[], datetime]) -> None:
    """Write who is in the segment; safe to run again at any time, also twice at once."""
    while _evaluate_window(membership_id, now=clock()):
        pass
    segment = Segment.objects.filter(memberships=membership_id).first()
    if segment is not None:
        forget_superseded(segment)


def resume_evaluations(*, now: datetime) -> list[int]:
    """Publish again the evaluations that nobody has touched for a while; return which."""
    idle = Membership.objects.filter(finished_at=None, updated_at__lt=now - IDLE)
    found = list(idle.order_by("pk").values_list("pk", flat=True))
    for membership_id in found:
        _publish(membership_id)
    return found


def forget_superseded(segment: Segment) -> None:
    """Delete what later evaluations have replaced, but for what campaigns are still planned by."""
    current = current_membership(segment)
    if current is None:
        return
    with transaction.atomic():
        # Whoever launches a campaign by the segment takes this lock too: nobody starts to need one.
        Segment.objects.select_for_update().get(pk=segment.pk)
        for old in segment.memberships.filter(pk__lt=current.pk):
            if not users_of(old):
                old.delete()


def _evaluate_window(membership_id: int, *, now: datetime) -> bool:
    """Decide the next window of ids; return whether there are more."""
    with transaction.atomic():
        unfinished = Membership.objects.select_for_update().filter(finished_at=None)
        membership = unfinished.filter(pk=membership_id).first()
        if membership is None:
            return False
        within = IdRange(
            membership.through_id, min(membership.through_id + WINDOW, membership.until_id)
        )
        android, ios, web = _write(membership, within)
        through = next_window(after_id=within.until, until_id=membership.until_id)
        is_last = through is None
        Membership.objects.filter(pk=membership_id).update(
            status=BuildStatus.COMPLETED if is_last else BuildStatus.RUNNING,
            through_id=membership.until_id if through is None else through,
            android=F("android") + android,
            ios=F("ios") + ios,
            web=F("web") + web,
            updated_at=now,
            finished_at=now if is_last else None,
        )
    return not is_last


def _write(membership: Membership, within: IdRange) -> tuple[int, int, int]:
    """Write the members in a range of ids; return how many there are of each platform."""
    by_rules = ByRules(parse_rules(membership.rules), now=membership.as_of)
    members = Audience(everybody=True, by_rules=by_rules).devices(within=within)
    sql, params = members.values("id", "platform").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_WRITE.format(chosen=sql), [*params, CHUNK, membership.pk])
        android, ios, web = cursor.fetchone()
    return android, ios, web


def _publish(membership_id: int) -> None:
    try:
        current_app.send_task(
            "segments.evaluate", [membership_id], queue="low_priority", retry=False
        )
    except OperationalError:
        logger.warning("The broker is away; membership %s is evaluated later.", membership_id)
