"""Campaigns before they are sent: written, changed, copied, thrown away.

What stands in a campaign is checked here, by the same rules whoever writes it and again before it
is started: whoever calls the services gets every problem at once, by the names of the fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction

from campaigns.audiences import audience_problems
from campaigns.errors import FieldsRefused, IllegalMove
from campaigns.models import PushCampaign
from campaigns.states import CampaignStatus, moves_from
from devices.places import is_timezone
from pushcore.validation import Problem, validate

CHANGEABLE = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED})
"""Statuses in which nothing was sent yet, so that a campaign may still become another."""


def create_campaign(
    *, user: AbstractBaseUser | AnonymousUser, now: datetime, **fields: Any
) -> PushCampaign:
    """Save a draft.

    Raises:
        FieldsRefused: it could not be sent like this; nothing is saved.
    """
    campaign = PushCampaign(created_by_id=user.pk, **fields)
    refuse_unfit(campaign, now=now)
    with transaction.atomic():  # with its entry in the audit trail
        campaign.save(force_insert=True)
    campaign.refresh_from_db()
    return campaign


def change_campaign(*, campaign_id: int, now: datetime, **changes: Any) -> PushCampaign:
    """Change some fields of a campaign of which nothing was sent yet; the others stay.

    Raises:
        IllegalMove: it was started before.
        FieldsRefused: it could not be sent like this.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    with transaction.atomic():
        campaign = _locked(campaign_id, CHANGEABLE, move="change")
        for name, value in changes.items():
            setattr(campaign, name, value)
        refuse_unfit(campaign, now=max(now, campaign.scheduled_at or now))
        campaign.save(update_fields=list(changes))
    return campaign


def replace_campaign(*, campaign_id: int, now: datetime, **fields: Any) -> PushCampaign:
    """Write a campaign of which nothing was sent yet anew: what is left out gets its default.

    Raises:
        IllegalMove, FieldsRefused, PushCampaign.DoesNotExist: as `change_campaign`.
    """
    defaults = {field.attname: field.get_default() for field in written_fields()}
    return change_campaign(campaign_id=campaign_id, now=now, **defaults | fields)


def duplicate_campaign(
    *, campaign_id: int, user: AbstractBaseUser | AnonymousUser, now: datetime
) -> PushCampaign:
    """Save a draft that says the same to the same audience, whatever became of the original.

    An expiry that has passed is left out.

    Raises:
        FieldsRefused: what stands in the original could not be sent any more.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    original = PushCampaign.objects.get(pk=campaign_id)
    fields = {field.attname: getattr(original, field.attname) for field in written_fields()}
    if original.expires_at is not None and original.expires_at <= now:
        fields["expires_at"] = None
    return create_campaign(user=user, now=now, **fields)


def delete_draft(*, campaign_id: int) -> None:
    """Throw a draft away.

    Raises:
        IllegalMove: it is no draft: the account of what was sent stays.
        PushCampaign.DoesNotExist: there is no such campaign.
    """
    with transaction.atomic():
        _locked(campaign_id, {CampaignStatus.DRAFT}, move="delete").delete()


def written_fields() -> list[models.Field[Any, Any]]:
    """Return the fields that say what a campaign is, as against what became of it."""
    return [
        field
        for field in PushCampaign._meta.concrete_fields
        if field.editable and not field.primary_key and field.name != "scheduled_at"
    ]


def refuse_unfit(campaign: PushCampaign, *, now: datetime) -> None:
    """Check whether the campaign could be sent at the moment `now`, as far as its fields say.

    Raises:
        FieldsRefused: with every problem: it is for nobody or for users and everybody at once, the
            provider would refuse the message, or it has expired by then.
    """
    problems = [
        *audience_problems(campaign),
        *(_in_our_words(one, campaign) for one in validate(campaign.content(), now=now)),
        *_expiry_problems(campaign, now=now),
        *_timezone_problems(campaign),
    ]
    if problems:
        raise FieldsRefused(problems)


def _expiry_problems(campaign: PushCampaign, *, now: datetime) -> Iterator[Problem]:
    if campaign.expires_at is not None and campaign.expires_at <= now:
        words = f"It would have expired before it is sent, at {now:%Y-%m-%dT%H:%M:%SZ}."
        yield Problem("expires_at", "range", words)


def _timezone_problems(campaign: PushCampaign) -> Iterator[Problem]:
    if not is_timezone(campaign.timezone):
        words = "There is no such time zone in the IANA database."
        yield Problem("timezone", "unknown", words)


_OUR_NAMES = {"body": "message", "data": "data_payload", "content": "platform_overrides"}
"""The engine's name of a field → the campaign's. What cannot be written as JSON stands in the
overrides, as all other fields are texts."""
_WEIGH = ("message", "data_payload", "platform_overrides")


def _in_our_words(problem: Problem, campaign: PushCampaign) -> Problem:
    field, dot, key = problem.field.partition(".")
    if problem.code == "too_large" and field == "content":
        return problem._replace(field=_heaviest(campaign))
    return problem._replace(field=_OUR_NAMES.get(field, field) + dot + key)


def _heaviest(campaign: PushCampaign) -> str:
    """Return the field to begin with where all of them together are too large."""
    texts = {name: json.dumps(getattr(campaign, name), ensure_ascii=False) for name in _WEIGH}
    return max(texts, key=lambda name: len(texts[name].encode(errors="replace")))


def _locked(campaign_id: int, statuses: set[str] | frozenset[str], *, move: str) -> PushCampaign:
    """Return the campaign, locked for this transaction, if it is in one of the statuses."""
    rows = PushCampaign.objects.select_for_update()
    campaign = rows.filter(pk=campaign_id, status__in=statuses).first()
    if campaign is None:
        status = PushCampaign.objects.values_list("status", flat=True).get(pk=campaign_id)
        raise IllegalMove(move=move, status=status, allowed=moves_from(status))
    return campaign
