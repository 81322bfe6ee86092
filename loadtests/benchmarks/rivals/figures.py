"""What a measurement comes to: the same figures for the rivals and for Pushcore."""

from __future__ import annotations

from dataclasses import dataclass

TROUBLE = "accept_reset=0.05"
"""5 % of the messages are accepted and their answers lost, in the mildest of the emulator's ways:
over HTTP/2 it takes nothing else with it, and over HTTP/1.1 only the connection of that request."""


class InexactError(Exception):
    """Not everything was sent once: what was measured is no rate. The message says what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the messages, by the sender's account and by the emulator's."""

    messages: int
    told_succeeded: int
    told_unknown: int = 0
    """Of which the sender says that it cannot know."""
    accepted: int
    """Messages of which the emulator has a receipt."""
    accepted_twice: int
    """Messages of which it has more than one."""


def rates(outcome: Outcome, *, elapsed_s: float, cpu_s: float, peak_mb: float) -> dict[str, float]:
    """Return what sending cost where nothing went wrong.

    Raises:
        InexactError: something did.
    """
    sent = outcome.messages
    if (outcome.accepted, outcome.told_succeeded, outcome.accepted_twice) != (sent, sent, 0):
        message = (
            f"Of {sent:,} messages {outcome.accepted:,} were accepted,"
            f" {outcome.accepted_twice:,} twice, and {outcome.told_succeeded:,} called sent."
        )
        raise InexactError(message)
    return {
        "messages": sent,
        "elapsed_s": round(elapsed_s, 3),
        "messages_per_s": round(sent / elapsed_s, 1),
        "messages_per_cpu_s": round(sent / cpu_s, 1),
        "peak_rss_mb": round(peak_mb, 1),
    }


def account(outcome: Outcome) -> dict[str, float]:
    """Return what became of the messages where answers were lost, in percent of all."""
    sent = outcome.messages
    # By numbers, not by names: of two mistakes in opposite directions it sees the difference.
    denied = outcome.accepted - outcome.told_succeeded - outcome.told_unknown
    counts = {
        "accepted_twice_pct": outcome.accepted_twice,
        "lost_pct": sent - outcome.accepted,
        "accepted_but_called_failed_pct": max(0, denied),
        "called_unknown_pct": outcome.told_unknown,
    }
    return {"messages": sent} | {
        name: round(count / sent * 100, 2) for name, count in counts.items()
    }
