"""What the person sees: steps, live progress, the account; plain lines without a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.demo_run.account import Account
from scripts.demo_run.api import Json

LINE_INTERVAL_S = 5.0
"""How often a line is printed where nothing can be redrawn: in a log, in CI."""


class Screen:
    """Writes to stdout, or to stderr where stdout is for JSON."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._console = Console(stderr=to_stderr, highlight=False)
        self._last_line_at = 0.0

    def step(self, sentence: str) -> None:
        """Say what happens now."""
        self._console.print(f"[dim]·[/dim] {sentence}", soft_wrap=True)

    @contextlib.contextmanager
    def progress(self, what: str, *, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar within the block; the function given takes how many are done."""
        if not self._console.is_terminal:
            yield lambda done: self._line(f"{what}: {done:,} of {total:,}")
            return
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True)
        with bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    @contextlib.contextmanager
    def campaign(self, *, total: int) -> Iterator[Callable[[Json], None]]:
        """Show a running campaign within the block; the function given takes its `/stats/`."""
        if not self._console.is_terminal:
            yield lambda stats: self._line(_line_of(stats))
            return
        columns = (TextColumn("  {task.description}"), BarColumn(bar_width=None))
        percent = TextColumn("{task.percentage:>5.1f} %")
        bar = Progress(*columns, percent, console=self._console)
        task = bar.add_task("Sending", total=total or 1)
        with Live(console=self._console, refresh_per_second=4) as live:

            def show(stats: Json) -> None:
                bar.update(task, completed=stats["sent"] + stats["skipped"])
                whole = Table.grid()
                whole.add_row(bar)
                whole.add_row(f"  {_line_of(stats)}")
                live.update(whole)

            yield show

    def account(self, account: Account, *, faults: list[str]) -> None:
        """Show the engine's account beside the emulator's receipts, and the verdict."""
        table = Table(title="The account", title_justify="left", show_edge=False, pad_edge=False)
        table.add_column("Pushcore")
        table.add_column("devices", justify="right")
        table.add_column("FCM emulator")
        table.add_column("devices", justify="right")
        rows = [
            ("planned", account.total_recipients, "", None),
            ("success", account.success, "accepted", account.accepted),
            ("invalid", account.invalid, "accepted twice", account.accepted_twice),
            ("failed", account.failure - account.invalid, "missing", account.missing),
            ("unknown", account.unknown, "", None),
            ("skipped", account.skipped, "", None),
            ("deactivated", account.deactivated, "", None),
        ]
        for ours, count, theirs, receipts in rows:
            table.add_row(ours, f"{count:,}", theirs, "" if receipts is None else f"{receipts:,}")
        self._console.print()
        self._console.print(table)
        self._console.print(
            f"\n{account.elapsed_s:,.1f} s, {account.messages_per_s:,.0f} messages/s."
            f" All workers together took {account.peak_rss_mb:,.0f} MB at most (PSS: pages that"
            " they share count once; RSS where the system tells no PSS).",
            soft_wrap=True,
        )
        if not faults:
            self._console.print("[green]The account is exact.[/green]")
        for fault in faults:
            self._console.print(f"[red]Not exact: {fault}.[/red]")

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if now - self._last_line_at >= LINE_INTERVAL_S:
            self._last_line_at = now
            self._console.print(f"  {text}", soft_wrap=True)


def _line_of(stats: Json) -> str:
    eta = stats["eta_seconds"]
    left = f"{eta:,.0f} s left" if eta is not None else stats["status"]
    return (
        f"{stats['sent']:,} of {stats['total_recipients']:,} sent,"
        f" {stats['rate_per_second']:,.0f}/s, {left} ·"
        f" success {stats['success']:,}, invalid {stats['invalid']:,},"
        f" failed {stats['failure'] - stats['invalid']:,}, unknown {stats['unknown']:,}"
    )
