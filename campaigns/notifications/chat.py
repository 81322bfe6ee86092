"""Notices to Slack and others, by Apprise.

Apprise sends its requests itself, so `campaigns.notifications.egress` can't guard them. What is
allowed are services at addresses of their own, which no URL can change; not those that post to any
host (`json://`, `form://`, Mattermost, …): for these there are signed webhooks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from campaigns.notifications.answers import Answer
from campaigns.notifications.models import TEST, Event, Notice
from campaigns.notifications.words import figures_of, link_to, sentence_of, subject_of

if TYPE_CHECKING:  # it takes half a second, and most processes tell nobody anything
    from apprise import NotifyBase

SERVICES: Final = frozenset(
    {"slack", "discord", "msteams", "tgram", "gchat", "pagerduty", "opsgenie", "pover", "wxteams"}
)
_CONNECT_TIMEOUT_S: Final = 4.0
_READ_TIMEOUT_S: Final = 6.0
_COLOURS: Final[Mapping[str, str]] = {
    Event.COMPLETED: "success",
    Event.FAILED: "failure",
    Event.STANDSTILL: "failure",
    TEST: "info",
}
"""What Apprise calls how bad it is; the rest are warnings."""
_ZERO_WIDTH_SPACE: Final = "\u200b"


class ServiceRefused(Exception):
    """The URL is none of a service that may be told; the message says why."""


def service_of(url: str) -> NotifyBase:
    """Return Apprise's service for the URL, bounded in time and without redirects.

    Raises:
        ServiceRefused: it is not one of `SERVICES`, or lacks something.
    """
    from apprise import Apprise, AppriseAsset

    if "?" in url:  # among its options are files of this machine and addresses of others
        raise ServiceRefused("Options after ? are not taken.")
    asset = AppriseAsset(
        http_redirects=False,
        async_mode=False,
        app_id="Pushcore",  # else they are signed as Apprise's, with a picture of its own
        app_desc="Pushcore",
        image_url_mask="",
        image_url_logo="",
    )
    service = Apprise.instantiate(url, asset=asset)
    schemes = set() if service is None else _schemes(service)
    if service is None or not schemes & SERVICES:
        known = ", ".join(f"{name}://" for name in sorted(SERVICES))
        raise ServiceRefused(f"It must be a whole Apprise URL of one of {known}.")
    service.socket_connect_timeout = _CONNECT_TIMEOUT_S
    service.socket_read_timeout = _READ_TIMEOUT_S
    return service


def _schemes(service: NotifyBase) -> set[str]:
    schemes: set[str] = set()
    for named in (service.secure_protocol, service.protocol):
        schemes |= {named} if isinstance(named, str) else set(named or ())
    return schemes


def send_chat(url: str, notice: Notice) -> Answer:
    """Post the notice to the service; why it was not taken, Apprise says in its log only."""
    try:
        service = service_of(url)
    except ServiceRefused as refusal:
        return Answer(error=str(refusal))
    from apprise import LogCapture

    with LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        taken = service.notify(
            title=_tame(subject_of(notice)),
            body=_tame(text_of(notice)),
            notify_type=_COLOURS.get(notice.event, "warning"),
        )
        why = " ".join(said.getvalue().split())
    return Answer() if taken else Answer(error=f"The service did not take it. {why}".strip())


def text_of(notice: Notice) -> str:
    """Return what is told below the subject."""
    reason = notice.account.get("status_reason", "")
    figures = [f"{label.strip()}: {figure}" for label, figure in figures_of(notice)]
    parts = [sentence_of(notice), reason, "\n".join(figures), link_to(notice)]
    return "\n\n".join(part for part in parts if part)


def _tame(text: str) -> str:
    """Keep a campaign's title from calling everybody: `@everyone`, `<!channel>`."""
    return text.replace("@", "@" + _ZERO_WIDTH_SPACE).replace("<", "<" + _ZERO_WIDTH_SPACE)
