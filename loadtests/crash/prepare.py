"""Run once before anything else: tables, FCM projects and an API key.

    python -m loadtests.crash.prepare <project id>=<key file>…

Prints an API key that opens everything on the last line. A process of its own, as the harness
itself knows no Django: it also breaks engines with settings other than its own.
"""

from __future__ import annotations

import io
import sys

import django


def main(arguments: list[str]) -> None:
    """Prepare the database that the environment names."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.utils import timezone

    from campaigns.access.keys import create_key
    from campaigns.access.scopes import Scope
    from devices.models import FcmProject

    call_command("migrate", interactive=False, verbosity=0, stdout=io.StringIO())
    for argument in arguments:
        project_id, _, key_file = argument.partition("=")
        FcmProject.objects.update_or_create(
            project_id=project_id, defaults={"credentials": f"file:{key_file}"}
        )
    owner, _made = User.objects.get_or_create(username="crash")
    _, key = create_key(name="crash", scopes=[Scope.ADMIN], owner=owner, now=timezone.now())
    print(key)


if __name__ == "__main__":
    main(sys.argv[1:])
