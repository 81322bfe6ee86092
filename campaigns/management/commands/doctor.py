"""`manage.py doctor`: one screen that finds what is wrong, and says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from django.utils import timezone
from django_typer.management import TyperCommand
from rich import box
from rich.table import Table
from rich.text import Text
from typer import Exit, Option

from campaigns.doctor.checks import ALL
from campaigns.doctor.examination import Examined, examine, worst_of
from campaigns.doctor.findings import Finding, Level
from devices.terminal import AsJson, print_bare, say_json, telling_refusals

_SIGNS: Final = {
    Level.OK: ("✓", "green"),
    Level.WARNING: ("!", "yellow"),
    Level.CRITICAL: ("✗", "bold red"),
}


class Command(TyperCommand):
    """Exit status: 0 where all is well, 1 with warnings, 2 where a person is needed now."""

    help = "Find what is wrong with servers, queues, workers, beat, provider and campaigns."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    @telling_refusals()
    def handle(
        self,
        *,
        json: AsJson = False,
        within: Annotated[
            float, Option(min=1, max=120, help="Seconds after which a check is given up.")
        ] = 20.0,
    ) -> None:
        """Find what is wrong; 0: nothing, 1: warnings, 2: a person is needed now."""
        examined = examine(ALL, now=timezone.now(), within_s=within)
        worst = worst_of(examined)
        if json:
            say_json(self, _as_dict(examined, worst))
        else:
            self._show(examined, worst)
        raise Exit(code=int(worst))

    def _show(self, examined: Sequence[Examined], worst: Level) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
        table.add_column()
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        found = _each_once(examined)
        for finding, check in found.items():
            sign, style = _SIGNS[finding.level]
            said = Text(finding.title)
            if finding.advice:
                said.append(f"\n→ {finding.advice}", style="cyan")
            table.add_row(Text(sign, style=style), check, said)
        print_bare(self, table, Text(_verdict(list(found), worst), style=_SIGNS[worst][1]))


def _each_once(examined: Sequence[Examined]) -> dict[Finding, str]:
    """Return each finding with the first check that made it: a server is away once only."""
    found: dict[Finding, str] = {}
    for one in examined:
        for finding in one.findings:
            found.setdefault(finding, one.check)
    return found


def _verdict(found: Sequence[Finding], worst: Level) -> str:
    levels = [finding.level for finding in found]
    if worst is Level.OK:
        return "Nothing is wrong."
    wrong, warnings = levels.count(Level.CRITICAL), levels.count(Level.WARNING)
    return f"Needs a person now: {wrong}. To be looked at: {warnings}."


def _as_dict(examined: Sequence[Examined], worst: Level) -> dict[str, object]:
    return {
        "status": worst.name.lower(),
        "findings": [
            {
                "check": one.check,
                "level": finding.level.name.lower(),
                "title": finding.title,
                "advice": finding.advice,
            }
            for one in examined
            for finding in one.findings
        ],
    }
