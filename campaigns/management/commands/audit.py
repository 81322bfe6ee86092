"""`manage.py audit [campaign]`: whether every number says what the ledger says."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.audit import Drift, find_drift
from campaigns.models import PushCampaign


class Command(BaseCommand):
    """Recount the ledger; exit 1 where any number differs, 2 where there is no such campaign."""

    help = "Recount the ledger against the counters of one campaign, or of all."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the campaign's id, and whether to print JSON."""
        parser.add_argument("campaign", type=int, nargs="?", help="its id; all where left out")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def handle(self, *_: Any, campaign: int | None, **options: Any) -> None:
        """Audit, and print what was found."""
        audited = PushCampaign.objects.all()
        if campaign is not None:
            audited = audited.filter(pk=campaign)
            if not audited.exists():
                message = f"There is no campaign {campaign}."
                raise CommandError(message, returncode=2)
        count, drift = audited.count(), find_drift(campaign_id=campaign)
        if options["json"]:
            found = [one._asdict() for one in drift]
            self.stdout.write(json.dumps({"campaigns": count, "drift": found}))
        elif drift:
            self.stdout.write(_table(drift))
        else:
            self.stdout.write(f"Campaigns audited: {count}. Every number is exact.")
        if drift:
            drifting = len({one.campaign_id for one in drift})
            message = f"Campaigns whose numbers drift: {drifting} of {count}."
            raise CommandError(message, returncode=1)


def _table(drift: Sequence[Drift]) -> str:
    lines = [f"{'campaign':>10}  {'what':<16}  {'recorded':>13}  {'recounted':>13}"]
    lines += [
        f"{one.campaign_id:>10}  {one.what:<16}  {one.recorded:>13,}  {one.recounted:>13,}"
        for one in drift
    ]
    return "\n".join(lines)
