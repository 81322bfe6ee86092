"""From a request's bytes to its target, checked in full, and cheaply where only numbers are new.

A campaign's messages differ in the address, and perhaps in one serial number in `data`. A message
found sound is remembered without these; another that is the same around them, byte for byte, is
sound as well. It is proven once per template that the bytes taken out are the address, and the
value of an entry of `data`; its length stays part of the template, as it counts for the size.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import orjson

from loadtests.fcm_emulator import answers, rules, schema

MAX_TEMPLATES = 2_048
"""More than any test has variants; messages with no fixed part only turn this cache over."""
_KEYS = (b'"token":"', b'"fid":"', b'"token": "', b'"fid": "')
_PLAIN = bytes(set(range(0x21, 0x7F)) - set(b'"\\'))
"""What an address may hold to be taken as it stands: printable ASCII, no escapes."""
_SERIAL = re.compile(rb'("[A-Za-z_]+":\s?")[0-9]+\.[0-9]+"')
_DIGITS = b"0123456789."
_PROBE = b"e0.another-address"


class Target(NamedTuple):
    """Who a sound message is for."""

    kind: str
    """`token`, `fid`, `topic` or `condition`."""
    address: str
    validate_only: bool


class Reader:
    """Reads and checks requests; remembers the sound ones' templates."""

    def __init__(self) -> None:
        self._templates: dict[bytes, tuple[str, bool]] = {}
        self._serial_key = b""
        """What stands before the serial number, such as `"id":"`; empty until one was seen."""

    def read(self, body: bytes) -> Target | rules.Refusal:
        """Return the target of a sound request, or the 400 that it gets."""
        start, end = _address_span(body)
        address = body[start:end]
        if not address or address.translate(None, _PLAIN):
            return _read_in_full(body)
        known = self._templates.get(self._without(body, start, end))
        if known is not None:
            return Target(known[0], address.decode(), known[1])
        target = _read_in_full(body)
        if isinstance(target, Target) and _is_address(body, start, end, target.kind):
            self._remember(body, start, end, target)
        return target

    def _without(self, body: bytes, start: int, end: int) -> bytes:
        """Return the template of a body: it without its address and serial number."""
        first, last = self._serial_span(body, end)
        # A NUL marks a gap: valid JSON holds none, so two templates cannot be confused.
        return b"%b\0%b\0%d\0%b" % (body[:start], body[end:first], last - first, body[last:])

    def _serial_span(self, body: bytes, after: int) -> tuple[int, int]:
        """Return where the serial number's digits lie; an empty span if there is none."""
        key = self._serial_key
        at = body.find(key, after) if key else -1
        if at >= 0:
            first = at + len(key)
            last = body.find(b'"', first)
            if not body[first:last].translate(None, _DIGITS):
                return first, last
        return len(body), len(body)

    def _remember(self, body: bytes, start: int, end: int, target: Target) -> None:
        seen = _SERIAL.search(body, end)
        proven = seen is not None and _is_data(body, seen)
        if seen is not None and proven:
            self._serial_key = seen[1]
        first, last = self._serial_span(body, end)
        if first < last and not (seen and proven and seen.end(1) == first):
            return  # what would be taken out here stands elsewhere than in data
        if len(self._templates) >= MAX_TEMPLATES:
            self._templates.clear()
        self._templates[self._without(body, start, end)] = (target.kind, target.validate_only)


def _address_span(body: bytes) -> tuple[int, int]:
    """Return where the first string under a key such as `token` lies; (0, 0) if there is none."""
    for key in _KEYS:
        at = body.find(key)
        if at >= 0:
            start = at + len(key)
            return start, body.find(b'"', start)
    return 0, 0


def _is_address(body: bytes, start: int, end: int, kind: str) -> bool:
    """Whether these bytes are the address's, not a lookalike's in data or a repeated key."""
    message = orjson.loads(b"%b%b%b" % (body[:start], _PROBE, body[end:]))["message"]
    return bool(message.get(kind) == _PROBE.decode())


def _is_data(body: bytes, serial: re.Match[bytes]) -> bool:
    """Whether the serial number is the value of an entry of the message's data, and only that."""
    first, last = serial.end(1), serial.end() - 1
    probe = b"x" * (last - first)
    message = orjson.loads(b"%b%b%b" % (body[:first], probe, body[last:]))["message"]
    data, name = message.get("data"), serial[1].split(b'"')[1].decode()
    return isinstance(data, dict) and data.get(name) == probe.decode()


def _read_in_full(body: bytes) -> Target | rules.Refusal:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        problem = f"Invalid JSON payload received. {exc}"
        return rules.Refusal(answers.invalid_json(problem, None), "json")
    found = schema.problems(document)
    if found:
        field, problem = found[0]
        return rules.Refusal(answers.invalid_json(problem, field), field or "json")
    message = document.get("message") or {}
    target = rules.target_of(message)
    if isinstance(target, rules.Refusal):
        return target
    broken = rules.broken_rule(message, target[0])
    if broken is not None:
        return broken
    validate_only = document.get("validate_only", document.get("validateOnly"))
    return Target(*target, validate_only=bool(validate_only))
