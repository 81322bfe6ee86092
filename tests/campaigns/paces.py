"""What Redis knows of the projects' pace."""

from __future__ import annotations

from campaigns import engine


def forget_paces() -> None:
    """Clear it: no project is blocked, or at its quota, because of another test."""
    client = engine._redis()
    for key in client.scan_iter("pushcore:pace:*"):
        client.delete(key)
