"""What happens to segments, whoever asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from devices.audience import Audience, ByRules
from devices.models import DeviceToken
from devices.segments.errors import InUse, NameTaken, NotReady
from devices.segments.estimates import Reach, estimate, reach_of, sample
from devices.segments.memberships import request_membership
from devices.segments.models import BuildStatus, Segment, SegmentKind, UserList
from devices.segments.references import current_membership, segment_rules, users_of
from devices.segments.rules import Rule, parse_fixed_rules, parse_rules
from pushcore.messages import Platform


def checked_rules(given: object) -> Rule:
    """Return the rules in a JSON value, for which all there need be is there.

    Raises:
        RulesRefused: they are none, or name a list that is not there or not read in yet.
    """
    return parse_rules(given, has_list=_has_list)


def chosen_by(rules: object, *, now: datetime) -> Audience:
    """Return whom rules choose at that moment.

    Raises:
        RulesRefused: they are none.
    """
    return Audience(everybody=True, by_rules=ByRules(checked_rules(rules), now=now))


def estimate_segment(segment: Segment, *, now: datetime) -> Reach:
    """Return how many devices are in the segment: a static one's, as of its evaluation.

    Raises:
        NotReady: it is static and has not been evaluated yet.
    """
    if segment.kind == SegmentKind.DYNAMIC:
        return estimate(_audience(segment, now=now))
    membership = current_membership(segment)
    if membership is None:
        raise NotReady(f"The segment {segment.name!r} has not been evaluated yet.")
    return reach_of({one.value: getattr(membership, one.value) for one in Platform})


def sample_segment(segment: Segment, *, now: datetime) -> list[DeviceToken]:
    """Return some active devices of the segment.

    Raises:
        NotReady: it is static and has not been evaluated yet.
    """
    return sample(_audience(segment, now=now))


def create_segment(
    *,
    name: str,
    kind: str,
    rules: object,
    user: AbstractBaseUser | AnonymousUser,
    now: datetime,
    description: str = "",
) -> Segment:
    """Save a segment; a static one is evaluated soon.

    Raises:
        RulesRefused: the rules are none.
        NameTaken: there is one of that name.
    """
    checked_rules(rules)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(
                name=name,
                description=description,
                kind=kind,
                rules=rules,
                created_by_id=user.pk,
                created_at=now,
                updated_at=now,
            )
            if kind == SegmentKind.STATIC:
                request_membership(segment_id=segment.pk, now=now)
    except IntegrityError as error:
        raise NameTaken(name) from error
    return segment


def change_segment(*, segment_id: int, now: datetime, **changes: Any) -> Segment:
    """Change name, description or rules; campaigns under way keep what they were launched with.

    A static segment stays who it was until it is refreshed.

    Raises:
        RulesRefused: the rules are none.
        NameTaken: there is another of that name.
        Segment.DoesNotExist: there is no such segment.
    """
    if "rules" in changes:
        checked_rules(changes["rules"])
    try:
        with transaction.atomic():
            segment = Segment.objects.select_for_update().filter(pk=segment_id).first()
            if segment is None:
                raise Segment.DoesNotExist("There is no such segment.")
            for name, value in (changes | {"updated_at": now}).items():
                setattr(segment, name, value)
            # Saved and not updated: the audit trail notes what is saved.
            segment.save(update_fields=[*changes, "updated_at"])
    except IntegrityError as error:
        raise NameTaken(changes["name"]) from error
    return segment


def delete_segment(*, segment_id: int) -> None:
    """Delete a segment that no unfinished campaign needs; finished ones keep their account.

    Raises:
        InUse: one does, and nothing has changed.
        Segment.DoesNotExist: there is no such segment.
    """
    with transaction.atomic():
        # A campaign that is launched now holds the row until it is known who needs it.
        segment = Segment.objects.select_for_update().get(pk=segment_id)
        if users := users_of(segment):
            raise InUse(f"The segment {segment.name!r}", users)
        segment.delete()


def _audience(segment: Segment, *, now: datetime) -> Audience:
    rule = parse_fixed_rules(segment_rules(segment.pk, lock=False))
    return Audience(everybody=True, by_rules=ByRules(rule, now=now))


def _has_list(list_id: int) -> bool:
    return UserList.objects.filter(pk=list_id, status=BuildStatus.COMPLETED).exists()
