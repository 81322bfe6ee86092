"""Where users' URLs may lead."""

from __future__ import annotations

import time
from typing import Any

import pytest

from campaigns.notifications import egress
from campaigns.notifications.egress import Unanswered, UrlRefused, check_url, is_public, post
from tests.campaigns.notifications.receivers import Receiver, silent_port


def post_to(url: str, *, private_hosts: tuple[str, ...] = ("127.0.0.1",)) -> egress.Reply:
    return post(url, headers={"X-One": "1"}, body=b"{}", private_hosts=private_hosts)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "2001:0:53aa:64c::1",
    ],
)
def test_an_address_that_is_not_of_the_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "It must begin with https://."),
        ("ftp://example.com/", "It must begin with https://."),
        ("file:///etc/passwd", "It names no host."),
        ("https://", "It names no host."),
        ("https://127.0.0.1/", "It leads to an address that is not public."),
        ("https://[::1]/", "It leads to an address that is not public."),
        ("https://me:word@example.com/", "It must not hold a user name or password."),
        ("https://example.com\\@127.0.0.1/", "It has characters that a URL can't have."),
        ("https://exämple.com/", "It has characters that a URL can't have."),
        ("https://example.com/ x", "It has characters that a URL can't have."),
        ("https://example.com:port/", "It is no URL."),
    ],
)
def test_a_url_that_leads_elsewhere_is_refused_as_it_is_written(url: str, reason: str) -> None:
    with pytest.raises(UrlRefused) as refusal:
        check_url(url, private_hosts=())
    assert str(refusal.value) == reason


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "2130706433", "127.1"])
def test_a_name_is_judged_by_what_it_resolves_to(host: str) -> None:
    with silent_port() as port, pytest.raises(UrlRefused) as refusal:
        post_to(f"https://{host}:{port}/", private_hosts=())
    assert str(refusal.value) == "Its name leads to an address that is not public."


def test_what_a_name_resolves_to_is_judged_where_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No second look-up comes in between: the socket is made for the address that was judged."""
    judged: list[str] = []

    def judge(address: str) -> bool:
        judged.append(address)
        return False

    made: list[Any] = []
    monkeypatch.setattr(egress, "is_public", judge)
    monkeypatch.setattr(
        "campaigns.notifications.egress.socket.socket", lambda *args: made.append(args)
    )
    with pytest.raises(UrlRefused):
        post_to("https://localhost:1/", private_hosts=())
    assert set(judged) <= {"127.0.0.1", "::1"}
    assert judged
    assert made == []


def test_a_private_host_that_is_allowed_is_reached_without_tls(receiver: Receiver) -> None:
    reply = post_to(receiver.url)
    assert (reply.status_code, reply.body) == (200, b"thanks")
    [received] = receiver.received
    assert (received.path, received.body, received.headers["X-One"]) == ("/hook", b"{}", "1")


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url + "/secret"}
    assert post_to(receiver.url).status_code == 302
    assert [received.path for received in receiver.received] == ["/hook"]


def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert post_to(receiver.url).status_code == 200


def test_of_an_answer_without_an_end_the_beginning_is_read(receiver: Receiver) -> None:
    receiver.endless = True
    reply = post_to(receiver.url)
    assert reply.status_code == 200
    assert len(reply.body) == 4_096


def test_who_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "TIMEOUT_S", 1)
    with silent_port() as port:
        began = time.monotonic()
        with pytest.raises(Unanswered):
            post_to(f"http://127.0.0.1:{port}/")
    assert time.monotonic() - began < 5


def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(Unanswered):
        post_to("http://127.0.0.1:1/")
