"""A notice in words, for people."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from campaigns.notifications.models import TEST, Event, Notice

_VERBS: Final = {
    Event.COMPLETED: "Completed",
    Event.FAILED: "Failed",
    Event.PAUSED: "Paused",
    Event.STANDSTILL: "Stands still",
    Event.EXPIRED: "Expired",
    Event.MISSED: "Not started",
    Event.SCHEDULE_MISSED: "Runs missed",
    TEST: "Test",
}
_FIGURES: Final = (
    ("Recipients", "total_recipients"),
    ("Accepted", "success"),
    ("Failed", "failure"),
    ("  of these dead addresses", "invalid"),
    ("Unknown", "unknown"),
    ("Skipped", "skipped"),
    ("Remaining", "remaining"),
)
_FIGURES_OF_SCHEDULE: Final = (
    ("Runs missed", "missed_runs"),
    ("First", "first_slot"),
    ("Last", "last_slot"),
    ("Next run", "next_run_at"),
)


def subject_of(notice: Notice) -> str:
    """Return one line that says what happened to which campaign."""
    title = " ".join(str(notice.account["title"]).split())
    return f"{_VERBS[notice.event]}: {title}"


def sentence_of(notice: Notice) -> str:
    """Return what happened, and what is to be done about it, if anything."""
    return {
        Event.COMPLETED: "Every device has its final outcome.",
        Event.FAILED: "The provider refuses this message. Nothing more of it is sent.",
        Event.PAUSED: "It can't go on by itself. Mend the reason, then resume the campaign.",
        Event.STANDSTILL: "Nothing has moved for minutes. `manage.py doctor` finds out why.",
        Event.EXPIRED: "Its time was over before everybody was sent to. Nothing more is sent.",
        Event.MISSED: "It is a draft again. Send or schedule it anew if it is still wanted.",
        Event.SCHEDULE_MISSED: (
            "What these runs would have sent is not sent any more. `manage.py schedules runs"
            f" {notice.schedule_id}` lists what became of each."
        ),
        TEST: "Somebody asked for this, to see whether word reaches you. It does.",
    }[notice.event]


def figures_of(notice: Notice) -> list[tuple[str, str]]:
    """Return the campaign's or schedule's account, each under its name; none for a test."""
    if notice.event == TEST:
        return []
    figures = _FIGURES_OF_SCHEDULE if notice.event == Event.SCHEDULE_MISSED else _FIGURES
    return [(label, _figure(notice.account[name])) for label, name in figures]


def _figure(value: int | str | None) -> str:
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else value


def link_to(notice: Notice) -> str:
    """Return where the campaign is to be seen; empty where `PUBLIC_URL` is not set."""
    if not settings.PUBLIC_URL or notice.campaign_id is None:
        return ""
    page = reverse("admin:campaigns_pushcampaign_change", args=[notice.campaign_id])
    return f"{settings.PUBLIC_URL}{page}"


def context_of(notice: Notice) -> dict[str, Any]:
    """Return what the templates of a notice are made from."""
    return {
        "subject": subject_of(notice),
        "sentence": sentence_of(notice),
        "reason": notice.account.get("status_reason", ""),
        "figures": figures_of(notice),
        "occurred_at": notice.occurred_at,
        "link": link_to(notice),
    }
