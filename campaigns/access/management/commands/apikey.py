"""`manage.py apikey`: issue, look at, rotate and revoke the keys of programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.utils import timezone
from django_typer.management import Context, Typer
from typer import Argument, Option

from campaigns.access import keys
from campaigns.access.api.serializers import MAX_OVERLAP, ApiKeySerializer
from campaigns.access.models import ApiKey
from campaigns.access.scopes import Scope
from devices.terminal import AsJson, find, say_facts, say_json, say_table, telling_refusals

app: Typer[..., None] = Typer(help="Keys for programs that call the API.", no_args_is_help=True)
answering = telling_refusals(keys.KeyRefused)

KeyId = Annotated[int, Argument(help="The key's id.", show_default=False)]


@app.command()
@answering
def create(
    context: Context,
    name: Annotated[str, Argument(help="What uses it.", show_default=False)],
    *,
    scope: Annotated[
        list[Scope], Option(help="What it may do; as often as needed.", show_default=False)
    ],
    owner: Annotated[str, Option(help="In whose name it acts.", show_default=False)],
    days: Annotated[
        int | None, Option(min=1, max=3_650, help="It expires then.", show_default="never")
    ] = None,
    json: AsJson = False,
) -> None:
    """Issue a key. It is shown this once."""
    now = timezone.now()
    key, text = keys.create_key(
        name=name,
        scopes=scope,
        owner=_user(owner),
        now=now,
        expires_at=None if days is None else now + timedelta(days=days),
    )
    _say_issued(context, key, text, as_json=json)


@app.command("list")
@answering
def show_list(context: Context, *, json: AsJson = False) -> None:
    """All keys, the newest first."""
    found = list(ApiKey.objects.select_related("created_by").order_by("-pk"))
    if json:
        say_json(context.django_command, [_as_dict(key) for key in found])
        return
    columns = ["id", "prefix", "name", "state", "owner", "scopes", "expires", "last used"]
    rows = [
        (
            str(key.pk),
            key.prefix,
            key.name,
            key.state(now=timezone.now()).value,
            key.created_by.username,
            " ".join(key.scopes),
            _minute(key.expires_at),
            _minute(key.last_used_at),
        )
        for key in found
    ]
    say_table(context.django_command, columns, rows)


@app.command()
@answering
def rotate(
    context: Context,
    key: KeyId,
    *,
    overlap_hours: Annotated[
        float,
        Option(
            min=0,
            max=MAX_OVERLAP / timedelta(hours=1),
            help="How long the old one goes on.",
        ),
    ] = keys.OVERLAP / timedelta(hours=1),
    json: AsJson = False,
) -> None:
    """Issue a key that may do the same, and let the old one expire."""
    new, text = keys.rotate_key(
        key_id=key, now=timezone.now(), overlap=timedelta(hours=overlap_hours)
    )
    _say_issued(context, new, text, as_json=json)


@app.command()
@answering
def revoke(context: Context, key: KeyId, *, json: AsJson = False) -> None:
    """Have a key open nothing from now on, for good."""
    revoked = keys.revoke_key(key_id=key, now=timezone.now())
    say = say_json if json else say_facts
    say(context.django_command, _as_dict(revoked))


def _user(username: str) -> User:
    return find(User.objects.all(), f"user {username}", username=username)


def _say_issued(context: Context, key: ApiKey, text: str, *, as_json: bool) -> None:
    say = say_json if as_json else say_facts
    say(context.django_command, {"key": text} | _as_dict(key))
    if not as_json:
        context.django_command.stderr.write("Keep the key now: it is shown this once.")


def _as_dict(key: ApiKey) -> dict[str, Any]:
    return dict(ApiKeySerializer(key).data) | {"created_by": key.created_by.username}


def _minute(moment: datetime | None) -> str:
    return "–" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
