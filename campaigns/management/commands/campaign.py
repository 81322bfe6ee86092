"""`manage.py campaign …`: look at campaigns and steer them from a terminal."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from campaigns import services
from campaigns.errors import CampaignError
from campaigns.models import PushCampaign
from campaigns.queries import Stats, stats_of, stats_of_each

LISTED = 50


class Command(BaseCommand):
    """The same services as the API's; `campaign ACTION --help` tells each one's options."""

    help = "Look at campaigns and steer them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand for each thing that can be done."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help=f"the newest {LISTED}")
        listing.add_argument("--status", help="only those with this status")
        listing.add_argument("--json", action="store_true", help="for programs")
        for name, words in _ABOUT.items():
            action = actions.add_parser(name, help=words)
            action.add_argument("campaign", type=int, help="its id")
            action.add_argument("--json", action="store_true", help="for programs")
            if name == "set-rate":
                action.add_argument("rate", type=_rate, help="messages a second, or “none”")

    def handle(self, *, action: str, json: bool, **options: Any) -> None:
        """Do it, and show how the campaign stands then."""
        if action == "list":
            self._show_list(options["status"], as_json=json)
            return
        try:
            _DO[action](options)
            campaign = PushCampaign.objects.get(pk=options["campaign"])
        except CampaignError as refusal:
            raise CommandError(str(refusal)) from refusal
        except PushCampaign.DoesNotExist:
            message = f"There is no campaign {options['campaign']}."
            raise CommandError(message) from None
        self._show(campaign, stats_of(campaign, now=timezone.now()), as_json=json)

    def _show_list(self, status: str | None, *, as_json: bool) -> None:
        campaigns = PushCampaign.objects.order_by("-pk")
        if status:
            campaigns = campaigns.filter(status=status)
        found = list(campaigns[:LISTED])
        stats = stats_of_each(found, now=timezone.now())
        if as_json:
            rows = [_as_dict(*pair) for pair in zip(found, stats, strict=True)]
            self.stdout.write(_dumps(rows))
            return
        self.stdout.write(f"{'id':>6}  {'status':10}  {'settled':>23}  title")
        for campaign, one in zip(found, stats, strict=True):
            settled = f"{one.sent + one.skipped:,} of {one.total_recipients:,}"
            self.stdout.write(
                f"{campaign.pk:>6}  {campaign.status:10}  {settled:>23}  {campaign.title}"
            )

    def _show(self, campaign: PushCampaign, stats: Stats, *, as_json: bool) -> None:
        row = _as_dict(campaign, stats)
        if as_json:
            self.stdout.write(_dumps(row))
            return
        for name, value in row.items():
            if name == "projects":
                for project in value:
                    halted = project["halt_reason"] or "going"
                    self.stdout.write(f"{'project':24}{project['project_id']}: {halted}")
            elif value not in (None, ""):
                shown = f"{value:,}" if isinstance(value, int) else value
                self.stdout.write(f"{name:24}{shown}")


def _rate(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        message = f"{text} is neither a whole number from 1 nor “none”"
        raise ArgumentTypeError(message)
    return int(text)


def _as_dict(campaign: PushCampaign, stats: Stats) -> dict[str, Any]:
    return {
        "campaign_id": campaign.pk,
        "title": campaign.title,
        "priority": campaign.priority,
        "rate_limit_per_second": campaign.rate_limit_per_second,
    } | asdict(stats)


def _dumps(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


_ABOUT = {
    "show": "how one stands, and why it does not go on",
    "send": "launch it",
    "pause": "send nothing more for now",
    "resume": "send on what is not settled",
    "cancel": "end it; whoever has not been sent to is skipped",
    "retry-failed": "send again to those whom it failed to reach",
    "set-rate": "change its own pace, also while it is sent",
}
_DO: dict[str, Callable[[dict[str, Any]], object]] = {
    "show": lambda _: None,
    "send": lambda options: services.start_campaign(
        campaign_id=options["campaign"], task_id=uuid4(), now=timezone.now()
    ),
    "pause": lambda options: services.pause_campaign(campaign_id=options["campaign"]),
    "resume": lambda options: services.resume_campaign(campaign_id=options["campaign"]),
    "cancel": lambda options: services.cancel_campaign(
        campaign_id=options["campaign"], now=timezone.now()
    ),
    "retry-failed": lambda options: services.retry_failed(campaign_id=options["campaign"]),
    "set-rate": lambda options: services.set_rate_limit(
        campaign_id=options["campaign"], rate_limit_per_second=options["rate"]
    ),
}
