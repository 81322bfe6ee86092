"""A place with no way out, where Google's names lead to loopback.

A network namespace holds nothing but its own loopback device (network_namespaces(7)), and a mount
namespace lets `/etc/hosts` say something else in it than outside (mount_namespaces(7)). Whatever
a library resolves or dials in there, it reaches the emulator or nothing.
"""

from __future__ import annotations

import fcntl
import shutil
import socket
import struct
import subprocess
from pathlib import Path

from loadtests.fcm_emulator.tls import HOSTS

LOOPBACK = "127.0.0.1"
_WAYS = (
    ("unshare", "--map-root-user", "--net", "--mount", "--"),
    ("unshare", "--net", "--mount", "--"),  # for root where users may not be mapped
)
# From <linux/sockios.h> and <linux/if.h>, see netdevice(7).
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


class NoIsolationError(Exception):
    """There is no such place on this machine; the message says why, in a sentence."""


def way_in() -> tuple[str, ...]:
    """Return what stands before a command to run it isolated.

    Raises:
        NoIsolationError: there is no `unshare`, or it is not allowed.
    """
    if shutil.which("unshare") is None:
        raise NoIsolationError("There is no unshare (util-linux), so no network namespace.")
    said = ""
    for way in _WAYS:
        tried = subprocess.run([*way, "true"], capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return way
        said = said or tried.stderr.strip()
    raise NoIsolationError(f"This machine allows no network namespace ({said}).")


def shut_in(folder: Path) -> None:
    """Within a new namespace: put up loopback, and have Google's names lead there.

    `folder` keeps the files that are mounted over the machine's own, in here only.

    Raises:
        NoIsolationError: this is no new namespace (nothing is changed then), a name leads
            elsewhere, or there is a way out.
    """
    _put_up_loopback()
    names = " ".join(HOSTS)
    _mount_over(Path("/etc/hosts"), folder / "hosts", f"{LOOPBACK} {names}\n")
    _mount_over(Path("/etc/nsswitch.conf"), folder / "nsswitch.conf", "hosts: files\n")
    _check()


def _put_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh", b"lo", 0) + bytes(22)
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("h", answer, 16)
        if flags & _IFF_UP:  # as it is on every machine, and in no namespace that is new
            raise NoIsolationError("This is no network namespace of its own.")
        request = struct.pack("16sh", b"lo", flags | _IFF_UP) + bytes(22)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def _mount_over(target: Path, source: Path, content: str) -> None:
    if not target.exists():
        return  # as nsswitch.conf where the C library knows none: `_check` has the last word
    source.write_text(content, encoding="ascii")
    mounted = subprocess.run(
        ["mount", "--bind", str(source), str(target)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        raise NoIsolationError(f"{target} cannot be mounted over ({mounted.stderr.strip()}).")


def _check() -> None:
    if routes := _routes():
        raise NoIsolationError(f"There is a way out: {routes[0]}.")
    for name in HOSTS:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, 443)}
        if found != {LOOPBACK}:
            raise NoIsolationError(f"{name} leads to {', '.join(sorted(found))}.")


def _routes() -> list[str]:
    """Return the IPv4 routes of this namespace's main table, of which loopback needs none."""
    return Path("/proc/net/route").read_text(encoding="ascii").splitlines()[1:]
