"""The words that several actions take, and what they answer with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from django.core.management.base import BaseCommand
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from typer import Argument

from campaigns.errors import CampaignError
from campaigns.models import PushCampaign
from campaigns.queries import Stats, stats_of
from devices.terminal import say_facts, say_json, telling_refusals

CampaignId = Annotated[
    int,
    Argument(
        help="The campaign's id.",
        show_default=False,
        shell_complete=ModelObjectCompleter(PushCampaign, help_field="title", order_by="-pk"),
    ),
]
answering = telling_refusals(CampaignError, OSError)
"""Decorates an action: a refusal of the domain ends it with its sentence."""


def find_campaign(campaign_id: int) -> PushCampaign:
    """Return the campaign.

    Raises:
        PushCampaign.DoesNotExist: there is none, in words.
    """
    try:
        return PushCampaign.objects.get(pk=campaign_id)
    except PushCampaign.DoesNotExist:
        message = f"There is no campaign {campaign_id}."
        raise PushCampaign.DoesNotExist(message) from None


def account_of(campaign: PushCampaign, stats: Stats) -> dict[str, Any]:
    """Return how a campaign stands, by the names of `/stats/`."""
    return {
        "campaign_id": campaign.pk,
        "title": campaign.title,
        "priority": campaign.priority,
        "rate_limit_per_second": campaign.rate_limit_per_second,
    } | asdict(stats)


def say_account(command: BaseCommand, campaign_id: int, *, as_json: bool) -> None:
    """Show how the campaign stands now."""
    campaign = find_campaign(campaign_id)
    account = account_of(campaign, stats_of(campaign, now=timezone.now()))
    if as_json:
        say_json(command, account)
        return
    projects = account.pop("projects")
    say_facts(command, account)
    for project in projects:
        say_facts(command, {f"project {project['project_id']}": project["halt_reason"] or "going"})
