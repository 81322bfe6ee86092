"""Lists and segments for tests, there at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AnonymousUser

from devices.segments.memberships import evaluate
from devices.segments.models import ListMember, Membership, Segment, UserList
from devices.segments.services import create_segment
from tests.cast import NOW

_numbers = itertools.count(1)


def make_list(user_ids: Iterable[str]) -> UserList:
    """Return a list that is read in already."""
    members = set(user_ids)
    record = UserList.objects.create(
        name=f"list {next(_numbers)}",
        file_format="text",
        status="completed",
        total_bytes=1,
        rows=len(members),
        size=len(members),
        created_at=NOW,
        updated_at=NOW,
        finished_at=NOW,
    )
    ListMember.objects.bulk_create(ListMember(user_list=record, user_id=one) for one in members)
    return record


def make_segment(rules: Any, **fields: Any) -> Segment:
    """Return a segment; a static one is evaluated."""
    defaults = {"name": f"segment {next(_numbers)}", "kind": "dynamic"}
    segment = create_segment(rules=rules, user=AnonymousUser(), now=NOW, **defaults | fields)
    for membership in Membership.objects.filter(segment=segment):
        evaluate(membership_id=membership.pk, clock=lambda: NOW)
    return segment
