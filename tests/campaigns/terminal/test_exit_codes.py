from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.cast import make_campaign

ROOT = Path(__file__).resolve().parents[3]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "campaign", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_database_that_is_away_is_one_sentence_and_four() -> None:
    done = run("list", DATABASE_URL="postgres://nobody:secret@127.0.0.1:1/none")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("CommandError: PostgreSQL can't be reached: ")
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr


def test_settings_that_are_missing_are_one_sentence_and_four(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    done = run("list", DJANGO_SETTINGS_MODULE="settings.dev")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "The environment variable DATABASE_URL is not set (or DATABASE_URL_FILE, a path to it).\n"
    )


@pytest.mark.django_db(transaction=True)
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    make_campaign()
    read, write = os.pipe()
    os.close(read)
    database = connection.settings_dict["NAME"]
    done = subprocess.run(
        [sys.executable, "manage.py", "campaign", "list"],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_what_is_mistyped_names_what_was_meant_and_exits_with_one() -> None:
    done = run("shw", DATABASE_URL="postgres://nobody:secret@127.0.0.1:1/none")
    assert (done.returncode, done.stdout.count("Commands")) == (1, 1)
    assert done.stderr == "No such command 'shw'. Did you mean 'show'?\n"
