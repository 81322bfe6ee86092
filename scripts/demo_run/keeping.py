"""What the demo keeps beside its database, and as long."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet


def kept_in(folder: Path) -> dict[str, str]:
    """Return the settings of what lies in the folder: the key, and the files of imports.

    These are named by the rows of one database: another one's would write over them.
    """
    return {"FERNET_KEYS": kept_key(folder), "IMPORT_FOLDER": str(folder / "imports")}


def kept_key(folder: Path) -> str:
    """Return the folder's Fernet key, the same for every run, as what it encrypts outlives them.

    Its file is for its owner only, from the first moment.
    """
    file = folder / "fernet.key"
    if not file.exists():
        fresh = file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key())
        fresh.rename(file)  # whole or not there, also if this is broken off
    return file.read_text(encoding="ascii")
