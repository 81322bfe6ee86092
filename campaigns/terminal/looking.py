"""Looking at campaigns: the list, one of them, and one while it is being sent."""

from __future__ import annotations

import time
from typing import Annotated

from django.core.management.base import CommandError
from django.utils import timezone
from django_typer.management import Context, TyperCommand
from redis.exceptions import RedisError
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text
from typer import Exit, Option

from campaigns.engine import pacer_of
from campaigns.models import Lane, PushCampaign
from campaigns.queries import Stats, stats_of, stats_of_each
from campaigns.states import CampaignStatus
from campaigns.terminal.arguments import (
    CampaignId,
    account_of,
    answering,
    find_campaign,
    say_account,
)
from devices.models import FcmProject
from devices.terminal import (
    AsJson,
    ExitCode,
    duration,
    say_json,
    say_table,
    screen_of,
)
from pushcore.messages import Priority

ENDED = frozenset({CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED})
WATCH_INTERVAL_S = 0.5


@answering
def show_list(
    context: Context,
    *,
    status: Annotated[
        CampaignStatus | None, Option(help="Only those with this status.", show_default=False)
    ] = None,
    limit: Annotated[int, Option(min=1, max=1_000, help="At most so many, the newest.")] = 50,
    json: AsJson = False,
) -> None:
    """List the newest campaigns, and how far each is."""
    campaigns = PushCampaign.objects.order_by("-pk")
    if status:
        campaigns = campaigns.filter(status=status)
    found = list(campaigns[:limit])
    stats = stats_of_each(found, now=timezone.now())
    pairs = list(zip(found, stats, strict=True))
    if json:
        say_json(context.django_command, [account_of(*pair) for pair in pairs])
        return
    rows = [
        (str(campaign.pk), one.status, one.total_recipients, one.sent + one.skipped, campaign.title)
        for campaign, one in pairs
    ]
    say_table(context.django_command, ["id", "status", "devices", "settled", "title"], rows)


@answering
def show(context: Context, campaign: CampaignId, *, json: AsJson = False) -> None:
    """Tell what one sends to whom, how it stands, and why it does not go on."""
    say_account(context.django_command, campaign, as_json=json, with_content=True)


@answering
def status(
    context: Context,
    campaign: CampaignId,
    *,
    watch: Annotated[
        bool, Option("--watch", "-w", help="Stay until it ends; exit with 1 if it ended badly.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Tell how far one is; with --watch live, until it ends."""
    if not watch:
        say_account(context.django_command, campaign, as_json=json)
        return
    watched = find_campaign(campaign)
    try:
        ended = _watch(context.django_command, watched, as_json=json)
    except KeyboardInterrupt:
        _say_where_it_is(context.django_command, watched)
        raise Exit(code=ExitCode.INTERRUPTED) from None
    if ended.status != CampaignStatus.COMPLETED:
        reason = ended.status_reason or "no reason is known."
        message = f"The campaign is {ended.status}: {reason}"
        raise CommandError(message, returncode=ExitCode.REFUSED)


def _say_where_it_is(command: TyperCommand, campaign: PushCampaign) -> None:
    """Say that what is no longer watched goes on: nobody has stopped it."""
    words = f"is {campaign.status}"
    if campaign.status == CampaignStatus.PROCESSING:
        words = f"goes on; manage.py campaign pause {campaign.pk} stops it"
    command.stderr.write(f"Campaign {campaign.pk} {words}.", style_func=str)


def _watch(command: TyperCommand, campaign: PushCampaign, *, as_json: bool) -> Stats:
    """Show the campaign until it ends: a live bar, or a JSON line or plain line a change."""
    screen = screen_of(command)
    if as_json or not screen.is_terminal:
        return _watch_in_lines(command, campaign, as_json=as_json)
    bar = Progress(
        TextColumn(f"[bold]{campaign.pk}[/bold] {{task.fields[title]}}"),
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>5.1f} %"),
        console=screen,
    )
    task = bar.add_task("", title=campaign.title, total=None)
    with Live(console=screen, refresh_per_second=4) as live:
        while True:
            stats = _fresh(campaign)
            bar.update(
                task, total=stats.total_recipients or 1, completed=stats.sent + stats.skipped
            )
            lines = [*lines_of(stats), *quota_lines(campaign)]
            # Not padded to the full width: the ^C that a terminal shows would begin a new line.
            padded = (Padding(Text(line), (0, 0, 0, 2), expand=False) for line in lines)
            live.update(Group(bar, *padded))
            if stats.status in ENDED:
                return stats
            time.sleep(WATCH_INTERVAL_S)


def _watch_in_lines(command: TyperCommand, campaign: PushCampaign, *, as_json: bool) -> Stats:
    last = ""
    while True:
        stats = _fresh(campaign)
        line = " · ".join(lines_of(stats))
        if line != last:
            if as_json:
                say_json(command, account_of(campaign, stats))
            else:
                words = [line, *quota_lines(campaign)]
                command.stdout.write(" · ".join(words), ending="\n")
            command.stdout.flush()
        if stats.status in ENDED:
            return stats
        last = line
        time.sleep(WATCH_INTERVAL_S)


def _fresh(campaign: PushCampaign) -> Stats:
    campaign.refresh_from_db()
    return stats_of(campaign, now=timezone.now())


def lines_of(stats: Stats) -> list[str]:
    """Return how far a campaign is, what became of the messages, and what holds it up."""
    words = [
        f"{stats.status}: {stats.sent:,} of {stats.total_recipients:,} sent",
        f"{stats.rate_per_second:,.0f}/s",
    ]
    if stats.eta_seconds is not None:
        words.append(f"{duration(stats.eta_seconds)} left")
    outcomes = (
        f"success {stats.success:,}, invalid {stats.invalid:,},"
        f" failed {stats.failure - stats.invalid:,}, unknown {stats.unknown:,},"
        f" skipped {stats.skipped:,}"
    )
    halts = [f"{one.project_id}: {one.halt_reason}" for one in stats.projects if one.halt_reason]
    return [", ".join(words), outcomes, *halts]


def quota_lines(campaign: PushCampaign) -> list[str]:
    """Return, for each project of a running campaign, what the quota lets it send."""
    if campaign.status != CampaignStatus.PROCESSING:
        return []
    lanes = Lane.objects.filter(campaign=campaign).select_related("project").order_by("pk")
    return [_quota_line(lane.project, Priority(campaign.priority)) for lane in lanes]


def _quota_line(project: FcmProject, priority: Priority) -> str:
    pacer = pacer_of(project)
    try:
        pace = pacer.state()
    except RedisError:
        return f"{project.project_id}: Redis does not answer, so nothing is sent"
    allowed = pacer.rate_per_second(priority, factor=pace.factor)
    words = "no quota" if allowed is None else f"quota for {allowed:,.0f}/s"
    if pace.factor < 1:
        words += f", {pace.factor:.0%} of its pace after a refusal"
    if pace.blocked_for_s:
        words += f", quiet for {pace.blocked_for_s:.0f} s as FCM wants"
    return f"{project.project_id}: {words}"
