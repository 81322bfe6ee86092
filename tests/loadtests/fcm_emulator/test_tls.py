"""The certificates that clients verify."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest

from loadtests.fcm_emulator import tls

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def test_keeps_what_is_there_until_it_is_about_to_expire(tmp_path: Path) -> None:
    made = tls.ensure(tmp_path, now=NOW).cert.read_bytes()

    assert tls.ensure(tmp_path, now=NOW + dt.timedelta(days=300)).cert.read_bytes() == made
    assert tls.ensure(tmp_path, now=NOW + dt.timedelta(days=364)).cert.read_bytes() != made


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "fcm.googleapis.com"])
def test_vouches_for_loopback_and_googles_names_alike(tmp_path: Path, host: str) -> None:
    files = tls.ensure(tmp_path, now=dt.datetime.now(dt.UTC))
    trusting = ssl.create_default_context(cafile=files.ca)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=host)
    server = files.server_context().wrap_bio(to_server, to_client, server_side=True)

    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    assert client.version() == "TLSv1.3"
    assert client.getpeercert()
