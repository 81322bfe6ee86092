"""The projects' service accounts, kept encrypted in the database.

Each write is guarded by the reference that was read, so that a change made meanwhile by a person
is not overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from devices.models import FcmProject
from pushcore.credentials import (
    ENCRYPTED_SCHEME,
    encrypt_service_account,
    load_service_account,
    rotate_service_account,
)


def encrypt_credentials(
    *, project_id: str, fernet_keys: Sequence[str], reference: str | None = None
) -> bool:
    """Take a project's service account into the database, under the first of the keys.

    `reference` (`file:…` or `env:…`) says where it is read, None for where the project's
    credentials stand now. Returns False, having changed nothing, where these were changed
    meanwhile.

    Raises:
        FcmProject.DoesNotExist: there is no such project (`project_id` is Google's).
        CredentialsError: the reference leads to no service account, or there is no key.
    """
    project = FcmProject.objects.get(project_id=project_id)
    account = load_service_account(reference or project.credentials, fernet_keys=fernet_keys)
    return _replace(project, encrypt_service_account(account, fernet_keys=fernet_keys))


def rotate_credentials(*, fernet_keys: Sequence[str]) -> int:
    """Encrypt all that is encrypted anew, under the first of the keys; return how many were.

    Raises:
        CredentialsError: one of them is under none of the keys; those before it are done.
    """
    encrypted = FcmProject.objects.filter(credentials__startswith=ENCRYPTED_SCHEME)
    return sum(
        _replace(project, rotate_service_account(project.credentials, fernet_keys=fernet_keys))
        for project in encrypted.order_by("pk")
    )


def _replace(project: FcmProject, credentials: str) -> bool:
    unchanged = FcmProject.objects.filter(pk=project.pk, credentials=project.credentials)
    return unchanged.update(credentials=credentials) == 1
