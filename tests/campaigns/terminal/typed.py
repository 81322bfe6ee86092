"""What a person types, and what comes back."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from django.core.management import call_command

from campaigns.models import PushCampaign
from tests.cast import make_campaign, make_devices, make_project, start_and_plan


def told(*words: object, command: str = "campaign") -> str:
    """Return what `manage.py COMMAND WORDS…` says."""
    out = StringIO()
    call_command(command, *map(str, words), stdout=out, stderr=StringIO())
    return out.getvalue()


def told_json(*words: object, command: str = "campaign") -> Any:
    """Return what it says to programs."""
    return json.loads(told(*words, "--json", command=command))


def running(**fields: Any) -> PushCampaign:
    """Return a campaign to two devices that is being sent."""
    make_devices(make_project(project_id="acme-push"), 2)
    campaign = make_campaign(title="Sale", **fields)
    start_and_plan(campaign)
    return campaign
