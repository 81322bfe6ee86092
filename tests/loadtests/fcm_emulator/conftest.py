"""What the emulator's tests share: the unmodified SDK, and a client that sees the wire."""

from __future__ import annotations

from collections.abc import Iterator

import firebase_admin
import pytest
from firebase_admin import messaging

from loadtests.fcm_emulator.process import Emulator
from tests.loadtests.fcm_emulator.clients import PROJECT, Wire


@pytest.fixture(params=["granian", "h2"])
def emulator(request: pytest.FixtureRequest) -> Emulator:
    """Either wire: what is tested with this holds for both."""
    name = "fcm_emulator" if request.param == "granian" else "fcm_wire"
    found: Emulator = request.getfixturevalue(name)
    return found


@pytest.fixture
def sdk(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    """firebase-admin as it is, told only where FCM is and whom to trust."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(emulator.ca_file))
    monkeypatch.setattr(
        messaging._MessagingService, "FCM_URL", f"{emulator.url}/v1/projects/{{0}}/messages:send"
    )
    account = emulator.control.service_account(PROJECT)
    certificate = firebase_admin.credentials.Certificate(account)
    # What google-auth would otherwise ask Google's IAM for, on the internet.
    certificate.get_credential()._set_regional_access_boundary({"encodedLocations": "0x0"})
    app = firebase_admin.initialize_app(certificate, name="emulator-test")
    yield app
    firebase_admin.delete_app(app)


@pytest.fixture
def wire(emulator: Emulator) -> Iterator[Wire]:
    """A client of either wire."""
    with Wire(emulator) as client:
        yield client


@pytest.fixture
def faulty(fcm_wire: Emulator) -> Iterator[Wire]:
    """A client of the wire that can break."""
    with Wire(fcm_wire) as client:
        yield client
