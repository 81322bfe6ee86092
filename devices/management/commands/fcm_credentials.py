"""`manage.py fcm_credentials`: service accounts encrypted at rest, and their keys rotated."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from devices.credentials import encrypt_credentials, rotate_credentials
from devices.models import FcmProject
from pushcore.credentials import CredentialsError


class Command(BaseCommand):
    """`encrypt` takes a project's service account into the database; `rotate` renews all."""

    help = "Keep FCM service accounts encrypted in the database (FERNET_KEYS; the first encrypts)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the two actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        encrypt = actions.add_parser("encrypt", help="take a service account into the database")
        encrypt.add_argument("project_id", help="the Google Cloud project's id")
        encrypt.add_argument(
            "--from",
            dest="reference",
            help="file:/path or env:NAME; left out: what the project refers to now",
        )
        actions.add_parser("rotate", help="encrypt all of them anew under the first key")

    def handle(self, *_: Any, **options: Any) -> None:
        """Do the action; CommandError in one sentence where it cannot be done."""
        try:
            if options["action"] == "encrypt":
                self._encrypt(options["project_id"], options["reference"])
            else:
                count = rotate_credentials(fernet_keys=settings.FERNET_KEYS)
                self.stdout.write(f"{count} service accounts are under the first key now.")
        except CredentialsError as exc:
            raise CommandError(str(exc)) from exc

    def _encrypt(self, project_id: str, reference: str | None) -> None:
        try:
            done = encrypt_credentials(
                project_id=project_id, fernet_keys=settings.FERNET_KEYS, reference=reference
            )
        except FcmProject.DoesNotExist as exc:
            raise CommandError(f"There is no FCM project {project_id}.") from exc
        if not done:
            raise CommandError(f"{project_id} was changed meanwhile: nothing is done.")
        self.stdout.write(f"The service account of {project_id} is in the database, encrypted.")
