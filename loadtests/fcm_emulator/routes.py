"""Which requests mean what; the same for every wire."""

from __future__ import annotations

from loadtests.fcm_emulator import answers
from loadtests.fcm_emulator.judge import Ruling

TOKEN_PATH = "/token"  # noqa: S105  a path, no secret
_TOKEN_PATHS = {TOKEN_PATH, "/oauth2/v4/token"}
"""Google's own at oauth2.googleapis.com, and the older one at www.googleapis.com."""
_HEAD, _TAIL = "/v1/projects/", "/messages:send"

NOT_FOUND = Ruling(404, answers.error(404, "NOT_FOUND", "Not found: no such method."), 0)


def project_of(method: str, path: str) -> str | None:
    """Return the project that a request sends for; None if it is no request to send."""
    if method == "POST" and path.startswith(_HEAD) and path.endswith(_TAIL):
        project = path[len(_HEAD) : -len(_TAIL)]
        if project and "/" not in project:
            return project
    return None


def is_token_request(method: str, path: str) -> bool:
    """Return whether a request asks for an access token."""
    return method == "POST" and path in _TOKEN_PATHS
