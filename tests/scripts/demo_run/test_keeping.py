from __future__ import annotations

import stat
from pathlib import Path

from cryptography.fernet import Fernet

from scripts.demo_run.keeping import kept_in, kept_key


def test_a_folder_keeps_its_key_for_its_owner_only(tmp_path: Path) -> None:
    key = kept_key(tmp_path)
    assert kept_key(tmp_path) == key
    secret = Fernet(key).encrypt(b"whsec_x")
    assert Fernet(kept_key(tmp_path)).decrypt(secret) == b"whsec_x"
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_that_was_broken_off_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "fernet.new").touch()
    assert len(kept_key(tmp_path)) == 44


def test_two_folders_have_neither_key_nor_imports_in_common(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    here, there = map(kept_in, folders)
    assert here["FERNET_KEYS"] != there["FERNET_KEYS"]
    assert (here["IMPORT_FOLDER"], there["IMPORT_FOLDER"]) == (
        str(folders[0] / "imports"),
        str(folders[1] / "imports"),
    )
