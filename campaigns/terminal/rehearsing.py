"""What can be known of a campaign before its launch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import orjson
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django_typer.management import Context
from typer import Option

from campaigns.estimate import Estimate, ProjectEstimate, estimate_of
from campaigns.models import PushLog
from campaigns.preview import preview_of
from campaigns.terminal.arguments import CampaignId, answering, find_campaign
from campaigns.trial import send_trial
from devices.terminal import AsJson, ExitCode, duration, say_facts, say_json, say_table
from pushcore.messages import Platform


@answering
def estimate(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Tell whom it would reach now, how many of them were not seen for long, and how soon."""
    found = estimate_of(find_campaign(campaign), now=timezone.now())
    if json:
        say_json(context.django_command, asdict(found))
        return
    say_estimate(context.django_command, found)


def say_estimate(command: BaseCommand, found: Estimate) -> None:
    """Show an estimate to a person."""
    about = "" if found.is_exact else "about "
    facts: dict[str, object] = {"devices": f"{about}{found.total:,}"}
    facts |= {f"on {platform}": count for platform, count in found.platforms.items()}
    facts["not seen for long"] = f"{found.stale:,} ({found.stale_share:.1%})"
    for project in found.projects:
        facts[f"project {project.project_id}"] = _in_a_line(project)
    if found.seconds_to_finish is not None:
        facts["takes at least"] = duration(found.seconds_to_finish)
    say_facts(command, facts)


def _in_a_line(project: ProjectEstimate) -> str:
    words = [f"{project.devices:,} devices"]
    if project.messages_per_second is not None:
        words.append(f"{project.messages_per_second:,.0f}/s at most")
    if project.blocked_for_s:
        words.append(f"the provider wants quiet for {project.blocked_for_s:,.0f} s")
    return ", ".join(words)


@answering
def preview(
    context: Context,
    campaign: CampaignId,
    *,
    platform: Annotated[Platform | None, Option(help="Only this one.", show_default=False)] = None,
    json: AsJson = False,
) -> None:
    """Show the exact JSON that goes to FCM for each platform, and its size."""
    found = [
        one
        for one in preview_of(find_campaign(campaign), now=timezone.now())
        if platform is None or one.platform == platform.value
    ]
    if json:
        say_json(context.django_command, [asdict(one) for one in found])
        return
    for one in found:
        size = f"{one.platform}: {one.size_bytes:,} of {one.limit_bytes:,} bytes"
        context.django_command.stdout.write(size)
        text = orjson.dumps(one.request, option=orjson.OPT_INDENT_2).decode()
        context.django_command.stdout.write(text)


@answering
def send_test(
    context: Context,
    campaign: CampaignId,
    *,
    device: Annotated[
        list[int] | None, Option(metavar="ID", help="To this device; as often as needed.")
    ] = None,
    user: Annotated[
        list[str] | None, Option(metavar="ID", help="To this user's devices; likewise.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Send it to a few devices now; its account stays as it is. Exits with 1 if any failed."""
    results = send_trial(
        campaign_id=find_campaign(campaign).pk,
        device_ids=device or (),
        user_ids=user or (),
        clock=timezone.now,
    )
    if json:
        say_json(context.django_command, [one._asdict() for one in results])
    else:
        columns = ["device", "user", "platform", "status", "error", "detail"]
        rows = [
            (str(one.device_id), one.user_id, one.platform, one.status, one.error, one.detail)
            for one in results
        ]
        say_table(context.django_command, columns, rows)
    missed = sum(one.status != PushLog.Status.SUCCESS for one in results)
    if missed:
        message = f"{missed} of {len(results)} devices did not get it."
        raise CommandError(message, returncode=ExitCode.REFUSED)
