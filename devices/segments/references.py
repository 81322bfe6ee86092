"""What is named by reference, as rules; and who needs it, so that it is not deleted.

Devices know nothing of campaigns: whoever refers to segments and lists registers here how to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from devices.segments.errors import NotReady
from devices.segments.models import BuildStatus, Membership, Segment, SegmentKind, UserList
from devices.segments.rules import lists_in, parse_rules

Referred: TypeAlias = Segment | UserList | Membership
_askers: list[Callable[[Referred], list[str]]] = []


def register_users(ask: Callable[[Referred], list[str]]) -> None:
    """Have `ask` asked, before anything is deleted, who would break without it (in words)."""
    _askers.append(ask)


def users_of(one: Referred) -> list[str]:
    """Return in words who would break without it: segments, and whatever is registered."""
    found = [user for ask in _askers for user in ask(one)]
    if isinstance(one, UserList):
        found += [
            f"segment {segment.name!r}"
            for segment in Segment.objects.order_by("pk")
            if one.pk in lists_in(parse_rules(segment.rules))
        ]
    return found


def segment_rules(segment_id: int, *, lock: bool) -> dict[str, Any]:
    """Return the rules that tell who is in the segment; `lock` keeps what they need from deletion.

    Raises:
        NotReady: it is static and has not been evaluated yet, or is not there any more.
    """
    segments = Segment.objects.select_for_update(no_key=True) if lock else Segment.objects
    segment = segments.filter(pk=segment_id).first()
    if segment is None:
        raise NotReady("There is no such segment.")
    if segment.kind == SegmentKind.DYNAMIC:
        _lock_lists(segment, lock=lock)
        return dict(segment.rules)
    membership = current_membership(segment)
    if membership is None:
        raise NotReady(f"The segment {segment.name!r} has not been evaluated yet.")
    return {"field": "membership", "op": "member_of", "value": membership.pk}


def list_rules(list_id: int, *, lock: bool) -> dict[str, Any]:
    """Return the rules that tell whose user id is in the list; `lock` keeps it from deletion.

    Raises:
        NotReady: it has not been read in yet, or is not there any more.
    """
    lists = UserList.objects.select_for_update(no_key=True) if lock else UserList.objects
    user_list = lists.filter(pk=list_id).first()
    if user_list is None or user_list.status != BuildStatus.COMPLETED:
        raise NotReady(f"The user list {list_id} has not been read in.")
    return {"field": "user_id", "op": "in_list", "value": list_id}


def current_membership(segment: Segment) -> Membership | None:
    """Return who is in a static segment, as of its last whole evaluation; None before the first."""
    done = segment.memberships.filter(status=BuildStatus.COMPLETED)
    return done.order_by("-pk").first()


def _lock_lists(segment: Segment, *, lock: bool) -> None:
    for list_id in sorted(lists_in(parse_rules(segment.rules))):
        list_rules(list_id, lock=lock)
