"""What channels were told, whether it arrived, and telling it once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from django_typer.management import Context
from typer import Argument, Option

from campaigns.notifications import channels
from campaigns.notifications.api.serializers import NoticeDeliverySerializer
from campaigns.notifications.models import Delivery, DeliveryState
from campaigns.notifications.terminal.arguments import ChannelId, answering, find_channel
from devices.terminal import AsJson, ExitCode, find, say_facts, say_json, say_table

DeliveryId = Annotated[
    int,
    Argument(
        help="The delivery's id, as `deliveries` lists it.",
        show_default=False,
        shell_complete=ModelObjectCompleter(Delivery, order_by="-pk"),
    ),
]


@answering
def send_test(context: Context, channel: ChannelId, *, json: AsJson = False) -> None:
    """Tell it that this is a test, now, and say what came of it. Exits with 1 if it failed."""
    made = channels.test_channel(channel_id=find_channel(channel).pk, clock=timezone.now)
    _say_delivery(context.django_command, made, as_json=json)
    if made.state == DeliveryState.SKIPPED:
        message = "Whoever it is for has unsubscribed."
        raise CommandError(message, returncode=ExitCode.REFUSED)
    if made.state != DeliveryState.DELIVERED:
        raise CommandError("It did not arrive.", returncode=ExitCode.REFUSED)


@answering
def deliveries(
    context: Context,
    channel: ChannelId,
    *,
    state: Annotated[
        DeliveryState | None, Option(help="Only those in this state.", show_default=False)
    ] = None,
    limit: Annotated[int, Option(min=1, max=1_000, help="At most so many, the newest.")] = 50,
    json: AsJson = False,
) -> None:
    """List what it was told, the newest first, and what was answered last."""
    found = Delivery.objects.filter(channel=find_channel(channel)).order_by("-pk")
    if state:
        found = found.filter(state=state)
    chosen = found.select_related("notice").prefetch_related("log")[:limit]
    shown = [dict(one) for one in NoticeDeliverySerializer(chosen, many=True).data]
    if json:
        say_json(context.django_command, shown)
        return
    columns = ["id", "event", "about", "state", "tries", "last answer"]
    say_table(context.django_command, columns, map(_in_a_row, shown))


@answering
def delivery(context: Context, delivery: DeliveryId, *, json: AsJson = False) -> None:
    """Show one, with every try."""
    _say_delivery(context.django_command, _found(delivery), as_json=json)


@answering
def replay(context: Context, delivery: DeliveryId, *, json: AsJson = False) -> None:
    """Have it told once more, under the id that it had; or at once, if it waits to be."""
    channels.replay(delivery_id=_found(delivery).pk, now=timezone.now())
    _say_delivery(context.django_command, _found(delivery), as_json=json)


def _found(delivery_id: int) -> Delivery:
    return find(
        Delivery.objects.select_related("notice"), f"delivery {delivery_id}", pk=delivery_id
    )


def _in_a_row(shown: Mapping[str, Any]) -> list[object]:
    last = _answer(shown["log"][-1]) if shown["log"] else "–"
    about = "–"
    if shown["campaign_id"]:
        about = f"campaign {shown['campaign_id']}"
    elif shown["schedule_id"]:
        about = f"schedule {shown['schedule_id']}"
    return [str(shown["id"]), shown["event"], about, shown["state"], len(shown["log"]), last]


def _answer(attempt: Mapping[str, Any]) -> str:
    """Return what was answered in so many words as a line has room for."""
    words = [attempt["error"] or attempt["status_code"] or "taken", attempt["response"]]
    return " ".join(" ".join(map(str, words)).split())[:100]


def _say_delivery(command: BaseCommand, found: Delivery, *, as_json: bool) -> None:
    shown = dict(NoticeDeliverySerializer(found).data)
    if as_json:
        say_json(command, shown)
        return
    log = shown.pop("log")
    if shown["finished_at"]:
        del shown["due_at"]
    say_facts(command, shown)
    columns = ["tried at", "took", "answer"]
    rows = [(one["attempted_at"], f"{one['duration_ms']:,} ms", _answer(one)) for one in log]
    if rows:
        say_table(command, columns, rows)
