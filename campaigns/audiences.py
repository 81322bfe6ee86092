"""Whom a campaign is for: from what its fields name to an audience that no longer changes.

At the launch all that is named by reference (segments, lists) becomes one tree of rules that stands
in the campaign: `fixed_rules`, applied at the moment `started_at`. Whoever changes a segment
afterwards changes later campaigns. Lists and memberships never change, and what an unfinished
campaign needs of them cannot be deleted: `users_of` tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from campaigns.errors import FieldsRefused
from campaigns.models import PushCampaign
from campaigns.states import CampaignStatus
from devices.audience import Audience, ByRules
from devices.segments.errors import NotReady
from devices.segments.models import Membership, Segment, UserList
from devices.segments.references import list_rules, segment_rules
from devices.segments.rules import conditions, parse_fixed_rules
from pushcore.validation import Problem

INCLUSIONS: Final = ("target_all", "target_user_ids", "segment", "user_list")
_REFERENCES: Final = ("segment", "user_list", "exclude_segment", "exclude_user_list")
_WAITING: Final = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
_RUNNING: Final = (CampaignStatus.PROCESSING, CampaignStatus.PAUSED)


def audience_of(campaign: PushCampaign, *, now: datetime) -> Audience:
    """Return whom the campaign is for: as it was launched, or, before that, as it is now.

    Raises:
        FieldsRefused: a segment or list that it names is not ready yet.
    """
    is_launched = campaign.started_at is not None
    rules = campaign.fixed_rules if is_launched else _rules_of(campaign)
    fixed = None if rules is None else parse_fixed_rules(rules)
    by_rules = None if fixed is None else ByRules(fixed, now=campaign.started_at or now)
    names_users = bool(campaign.target_user_ids)
    return Audience(
        everybody=campaign.target_all or (rules is not None and not names_users),
        user_ids=campaign.target_user_ids,
        by_rules=by_rules,
    )


def fix_audience(campaign: PushCampaign) -> None:
    """Write into the campaign what its segments and lists come to; the caller holds its lock.

    Raises:
        FieldsRefused: one of them is not ready yet.
    """
    rules = _rules_of(campaign, lock=True)
    if rules != campaign.fixed_rules:  # most campaigns name none, and have none
        campaign.fixed_rules = rules
        PushCampaign.objects.filter(pk=campaign.pk).update(fixed_rules=rules)


def audience_problems(campaign: PushCampaign) -> Iterator[Problem]:
    """Yield what is wrong with whom the campaign says it is for."""
    named = [name for name in INCLUSIONS if getattr(campaign, _column(name))]
    if not named:
        words = (
            "Say whom it is for: `target_user_ids`, a `segment`, a `user_list`,"
            " or `target_all: true` for everybody."
        )
        yield Problem("target_all", "required", words)
    for name in named[1:]:
        words = f"A campaign is for one audience: it has `{named[0]}` already."
        yield Problem(name, "conflict", words)


def users_of(one: Segment | UserList | Membership) -> list[str]:
    """Return in words the unfinished campaigns that would break without it."""
    waiting = Q(pk__in=[])
    if isinstance(one, Segment):
        waiting = Q(segment=one) | Q(exclude_segment=one)
    if isinstance(one, UserList):
        waiting = Q(user_list=one) | Q(exclude_user_list=one)
    found = list(
        PushCampaign.objects.filter(waiting, status__in=_WAITING).values_list("pk", flat=True)
    )
    running = PushCampaign.objects.filter(status__in=_RUNNING, fixed_rules__isnull=False)
    for campaign_id, rules in running.values_list("pk", "fixed_rules"):
        if rules and _names(rules, one):
            found.append(campaign_id)
    return [f"campaign {campaign_id}" for campaign_id in sorted(found)]


def _rules_of(campaign: PushCampaign, *, lock: bool = False) -> dict[str, Any] | None:
    """Return one tree for all that is named by reference, None where nothing is."""
    trees = []
    for field in _REFERENCES:
        if (reference := getattr(campaign, _column(field))) is None:
            continue
        rules_of = list_rules if field.endswith("user_list") else segment_rules
        try:
            tree = rules_of(reference, lock=lock)
        except NotReady as refusal:
            raise FieldsRefused([Problem(field, "not_ready", str(refusal))]) from refusal
        trees.append({"not": tree} if field.startswith("exclude") else tree)
    return {"all": trees} if trees else None


def _names(rules: dict[str, Any], one: Segment | UserList | Membership) -> bool:
    named = {(each.op, each.value) for each in conditions(parse_fixed_rules(rules))}
    memberships = {value for op, value in named if op == "member_of"}
    if isinstance(one, UserList):
        return ("in_list", one.pk) in named
    if isinstance(one, Membership):
        return one.pk in memberships
    return one.memberships.filter(pk__in=memberships).exists()


def _column(field: str) -> str:
    return f"{field}_id" if field in _REFERENCES else field
