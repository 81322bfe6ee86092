#!/usr/bin/env python3
"""Django's command line for Pushcore."""

import os
import sys


def main() -> None:
    """Run a management command under `DJANGO_SETTINGS_MODULE` (default: development)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
