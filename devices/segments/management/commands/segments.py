"""`manage.py segments …`: devices chosen by rules, from a terminal."""

from __future__ import annotations

import json as json_lib
from pathlib import Path
from typing import Annotated, Any

from django.contrib.auth.models import AnonymousUser
from django.core.management.base import BaseCommand
from django.utils import timezone
from django_typer.completers.model import ModelObjectCompleter
from django_typer.management import Context, Typer
from typer import Argument, BadParameter, Option

from devices.api.serializers import DeviceSerializer
from devices.segments import estimates, memberships, services
from devices.segments.api.serializers import (
    SHOWN_MEMBERSHIPS,
    NewSegmentSerializer,
    ReachSerializer,
    RulesSerializer,
    SegmentChangesSerializer,
    SegmentSerializer,
)
from devices.segments.errors import SegmentError
from devices.segments.estimates import Reach
from devices.segments.models import Segment, SegmentKind
from devices.terminal import (
    AsJson,
    Yes,
    ask,
    find,
    say_facts,
    say_json,
    say_table,
    telling_refusals,
)
from devices.terminal_fields import checked, fields_of, given

app: Typer[..., None] = Typer(help="Devices chosen by rules.", no_args_is_help=True)
answering = telling_refusals(SegmentError)

_complete = ModelObjectCompleter(Segment, help_field="name", order_by="-pk")
SegmentId = Annotated[
    int, Argument(help="The segment's id.", show_default=False, shell_complete=_complete)
]


def _rules(text: str) -> dict[str, Any]:
    try:
        rules = json_lib.loads(text)
    except ValueError as error:
        message = f"--rules is no JSON: {error}."
        raise BadParameter(message) from None
    if not isinstance(rules, dict):
        message = '--rules is no rule, such as {"field": "country", "op": "eq", "value": "DE"}.'
        raise BadParameter(message)
    return rules


Rules = Annotated[
    dict[str, Any] | None,
    Option(parser=_rules, metavar="JSON", help="Who is in it.", show_default=False),
]
Named = Annotated[str | None, Option(help="What it is called.", show_default=False)]
Description = Annotated[str | None, Option(help="What it is for.", show_default=False)]
FromFile = Annotated[
    Path | None,
    Option(help="YAML or JSON with the API's fields; flags go first.", show_default=False),
]


@app.command()
@answering
def create(
    context: Context,
    *,
    file: FromFile = None,
    name: Named = None,
    rules: Rules = None,
    description: Description = None,
    kind: Annotated[
        SegmentKind | None,
        Option(help="Applied at each launch, or now and when refreshed.", show_default="dynamic"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Save a segment, and show it."""
    flags = {
        "name": name,
        "rules": rules,
        "description": description,
        "kind": kind and kind.value,
    }
    wanted = (fields_of(file) if file else {}) | given(flags)
    fields = checked(NewSegmentSerializer(data=wanted))
    segment = services.create_segment(user=AnonymousUser(), now=timezone.now(), **fields)
    _say_segment(context.django_command, segment, as_json=json)


@app.command()
@answering
def change(
    context: Context,
    segment: SegmentId,
    *,
    file: FromFile = None,
    name: Named = None,
    rules: Rules = None,
    description: Description = None,
    json: AsJson = False,
) -> None:
    """Change its name, rules or description; what was launched keeps its devices."""
    flags = {"name": name, "rules": rules, "description": description}
    wanted = (fields_of(file) if file else {}) | given(flags)
    fields = checked(SegmentChangesSerializer(data=wanted, partial=True))
    changed = services.change_segment(segment_id=segment, now=timezone.now(), **fields)
    _say_segment(context.django_command, changed, as_json=json)


@app.command("list")
@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """List the segments, the newest first."""
    found = Segment.objects.prefetch_related(SHOWN_MEMBERSHIPS).order_by("-pk")
    shown = [dict(row) for row in SegmentSerializer(found, many=True).data]
    if json:
        say_json(context.django_command, shown)
        return
    rows = [
        (str(one["id"]), one["kind"], one["current"] and one["current"]["size"], one["name"])
        for one in shown
    ]
    say_table(context.django_command, ["id", "kind", "members", "name"], rows)


@app.command()
@answering
def show(context: Context, segment: SegmentId, *, json: AsJson = False) -> None:
    """Show one, with its rules."""
    _say_segment(context.django_command, _found(segment), as_json=json)


@app.command()
@answering
def estimate(
    context: Context,
    segment: Annotated[
        int | None,
        Argument(help="The segment's id.", show_default=False, shell_complete=_complete),
    ] = None,
    *,
    rules: Rules = None,
    json: AsJson = False,
) -> None:
    """Say how many devices are in one, or would be by rules that are not saved."""
    now = timezone.now()
    if rules is None:
        reach = services.estimate_segment(_named(segment), now=now)
    else:
        reach = estimates.estimate(services.chosen_by(_checked_rules(rules), now=now))
    if json:
        say_json(context.django_command, ReachSerializer(reach).data)
    else:
        say_facts(context.django_command, _reach_in_words(reach))


@app.command()
@answering
def sample(context: Context, segment: SegmentId, *, json: AsJson = False) -> None:
    """Show some of its devices."""
    devices = services.sample_segment(_found(segment), now=timezone.now())
    shown = [dict(row) for row in DeviceSerializer(devices, many=True).data]
    if json:
        say_json(context.django_command, shown)
        return
    columns = ["id", "user_id", "platform", "country", "language", "app_version"]
    rows = [[str(one["id"]), *(one[name] for name in columns[1:])] for one in shown]
    say_table(context.django_command, columns, rows)


@app.command()
@answering
def refresh(context: Context, segment: SegmentId, *, json: AsJson = False) -> None:
    """Have a worker evaluate a static one again."""
    memberships.request_membership(segment_id=_found(segment).pk, now=timezone.now())
    _say_segment(context.django_command, _found(segment), as_json=json)


@app.command()
@answering
def delete(context: Context, segment: SegmentId, *, yes: Yes = False) -> None:
    """Delete one that no unfinished campaign needs. It asks first."""
    name = _found(segment).name
    if not yes:
        ask(f"Delete the segment “{name}”?")
    services.delete_segment(segment_id=segment)
    context.django_command.stdout.write(f"The segment “{name}” is deleted.")


def _named(segment_id: int | None) -> Segment:
    if segment_id is None:
        raise BadParameter("Name a segment by its id, or rules by --rules.")
    return _found(segment_id)


def _found(segment_id: int) -> Segment:
    return find(Segment.objects.all(), f"segment {segment_id}", pk=segment_id)


def _checked_rules(rules: dict[str, Any]) -> object:
    return checked(RulesSerializer(data={"rules": rules}))["rules"]


def _reach_in_words(reach: Reach) -> dict[str, object]:
    total = f"{reach.total:,}" if reach.is_exact else f"about {reach.total:,} ± {reach.margin:,}"
    return {"devices": total} | {f"on {name}": count for name, count in reach.platforms.items()}


def _say_segment(command: BaseCommand, segment: Segment, *, as_json: bool) -> None:
    say = say_json if as_json else say_facts
    say(command, dict(SegmentSerializer(segment).data))
