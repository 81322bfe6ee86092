"""From a request's bytes to its target, checked in full, and cheaply when only the address is new.

A campaign's messages differ in the address, and perhaps in one serial number in `data`. A message
found sound is remembered without these; another that is byte for byte the same around them is sound
as well. It is proven once per template that the bytes taken out are the address, and the value of an
entry of `data`, which may be any text; its length stays part of the template, as the size does count.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import orjson

from loadtests.fcm_emulator import answers, rules, schema

MAX_TEMPLATES = 2_048
"""More than any test has variants; messages with no fixed part only turn this cache over."""
_ADDRESS = re.compile(rb'"(token|fid)":\s?"([!#-\[\]-~]+)"')
_SERIAL = re.compile(rb'"([a-z_]+)":\s?"([0-9]+\.[0-9]+)"')
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

    def read(self, body: bytes) -> Target | rules.Refusal:
        """Return the target of a sound request, or the 400 that it gets."""
        found = _ADDRESS.search(body)
        if found is None:
            return _read_in_full(body)
        start, end = found.span(2)
        serial = _SERIAL.search(body, end)
        template = _without(body, start, end, serial)
        known = self._templates.get(template)
        if known is not None:
            return Target(known[0], body[start:end].decode(), known[1])
        target = _read_in_full(body)
        if isinstance(target, Target) and _is_address(body, start, end, target.kind):
            if serial is not None and not _is_data(body, serial):
                # No template for this one: what looked like a serial number is something else.
                return target
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            self._templates[template] = (target.kind, target.validate_only)
        return target


def _without(body: bytes, start: int, end: int, serial: re.Match[bytes] | None) -> bytes:
    # A NUL marks a gap: valid JSON holds none, so two templates cannot be confused.
    if serial is None:
        return b"%b\0%b" % (body[:start], body[end:])
    first, last = serial.span(2)
    return b"%b\0%b\0%d\0%b" % (body[:start], body[end:first], last - first, body[last:])


def _is_address(body: bytes, start: int, end: int, kind: str) -> bool:
    """Whether these bytes are the address's, not a lookalike's in data or a repeated key."""
    message = orjson.loads(b"%b%b%b" % (body[:start], _PROBE, body[end:]))["message"]
    return bool(message.get(kind) == _PROBE.decode())


def _is_data(body: bytes, serial: re.Match[bytes]) -> bool:
    """Whether the serial number is the value of an entry of the message's data, and only that."""
    first, last = serial.span(2)
    probe = b"x" * (last - first)
    message = orjson.loads(b"%b%b%b" % (body[:first], probe, body[last:]))["message"]
    data = message.get("data")
    return isinstance(data, dict) and data.get(serial[1].decode()) == probe.decode()


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
