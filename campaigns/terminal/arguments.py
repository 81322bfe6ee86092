"""The words that several actions take, and what they answer with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final

from django.core.management.base import BaseCommand
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from typer import Argument

from campaigns.api.serializers import CampaignSerializer
from campaigns.errors import CampaignError
from campaigns.models import PushCampaign
from campaigns.queries import Stats, stats_of
from devices.terminal import duration, find, say_facts, say_json, telling_refusals

CampaignId = Annotated[
    int,
    Argument(
        help="The campaign's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(PushCampaign, help_field="title", order_by="-pk"),
    ),
]
MAX_USERS_SHOWN: Final = 10
answering = telling_refusals(CampaignError, OSError)
"""Decorates an action: a refusal of the domain ends it with its sentence."""


def find_campaign(campaign_id: int) -> PushCampaign:
    """Return the campaign.

    Raises:
        PushCampaign.DoesNotExist: there is none, in words.
    """
    return find(PushCampaign.objects.all(), f"campaign {campaign_id}", pk=campaign_id)


def account_of(campaign: PushCampaign, stats: Stats) -> dict[str, Any]:
    """Return how a campaign stands, by the names of `/stats/`."""
    return {
        "campaign_id": campaign.pk,
        "title": campaign.title,
        "priority": campaign.priority,
        "rate_limit_per_second": campaign.rate_limit_per_second,
    } | asdict(stats)


def content_of(campaign: PushCampaign) -> dict[str, Any]:
    """Return what a campaign sends to whom, and when, by the names of the API."""
    shown = dict(CampaignSerializer(campaign).data)
    counted = {"id", "target_user_count", *CampaignSerializer.Meta.read_only_fields}
    return {name: value for name, value in shown.items() if name not in counted} | {
        "scheduled_at": shown["scheduled_at"]
    }


def say_account(
    command: BaseCommand, campaign_id: int, *, as_json: bool, with_content: bool = False
) -> None:
    """Show how the campaign stands now; `with_content`: and what it sends to whom."""
    campaign = find_campaign(campaign_id)
    content = content_of(campaign) if with_content else {}
    account = account_of(campaign, stats_of(campaign, now=timezone.now()))
    if as_json:
        say_json(command, content | account)
        return
    projects = account.pop("projects")
    say_facts(command, _in_short(content) | _for_people(account))
    for project in projects:
        say_facts(command, {f"project {project['project_id']}": project["halt_reason"] or "going"})


def _for_people(account: dict[str, Any]) -> dict[str, Any]:
    eta = account["eta_seconds"]
    return account | {
        "progress": f"{account['progress']:.1%}",
        "rate_per_second": round(account["rate_per_second"]) or None,
        "eta_seconds": None if eta is None else duration(eta),
    }


def _in_short(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content for a person, who does not read a hundred thousand user ids."""
    if not content:
        return {}
    users, moves = content["target_user_ids"], content["allowed_moves"]
    more = f" … {len(users):,} in all" if len(users) > MAX_USERS_SHOWN else ""
    shown = content | {
        "target_user_ids": " ".join(users[:MAX_USERS_SHOWN]) + more,
        "allowed_moves": " ".join(moves),
    }
    return {name: value for name, value in shown.items() if value is not False}
