#!/usr/bin/env python3
"""Django's command line for Pushcore."""

import os
import sys
from typing import NoReturn


def main() -> None:
    """Run a management command under `DJANGO_SETTINGS_MODULE` (default: development)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    from django.core.exceptions import ImproperlyConfigured

    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except (ImproperlyConfigured, KeyboardInterrupt, BrokenPipeError) as end:
        _leave(end)


def _leave(end: BaseException) -> NoReturn:
    """End without a traceback, with the exit status that the terminal's table says."""
    from devices.terminal import ExitCode, leave_unread

    if isinstance(end, BrokenPipeError):
        leave_unread()
    if isinstance(end, KeyboardInterrupt):  # while everything was still being imported
        sys.exit(ExitCode.INTERRUPTED)
    sys.stderr.write(f"{end}\n")
    sys.exit(ExitCode.UNREACHABLE)


if __name__ == "__main__":
    main()
