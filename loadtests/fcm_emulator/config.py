"""What can be set on the emulator, at its start and, through the control port, while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from loadtests.fcm_emulator.behaviours import Behaviour, Plan, parse_plan


class ConfigError(ValueError):
    """The configuration asked for makes no sense; the message says why."""


class RetryAfterForm(StrEnum):
    """How Retry-After is sent, where one is sent at all (RFC 9110 §10.2.3)."""

    ABSENT = "absent"
    SECONDS = "seconds"
    DATE = "date"


class ProjectFault(StrEnum):
    """How every request for a project is refused, without an FcmError."""

    UNAUTHENTICATED = "unauthenticated"
    """401."""
    PERMISSION_DENIED = "permission_denied"
    """403."""
    NOT_FOUND = "not_found"
    """404."""


class OAuthTrust(StrEnum):
    """Whose assertions the token endpoint takes."""

    REGISTERED = "registered"
    """Those signed with the key of a service account that the emulator made."""
    ANY = "any"
    """Any RS256 assertion that is well-formed and unexpired, whoever signed it."""


@dataclass(frozen=True, slots=True)
class Config:
    """The emulator's settings; immutable: a change makes a new one."""

    seed: int = 0
    """Decides, with the target, who meets which of the `outcomes`."""
    latency_ms: float = 20.0
    """From request to answer: constant, or the median where `latency_p99_ms` is set."""
    latency_p99_ms: float | None = None
    """Makes the latency log-normal with this 99th percentile."""
    quota_per_minute: int = 600_000
    """Messages a minute per project; 0 for no quota."""
    retry_after: RetryAfterForm = RetryAfterForm.SECONDS
    retry_after_s: int = 0
    """Retry-After of the 5xx and 429 that behaviours make; 0: none is sent with them. A used-up
    quota says when its window is refilled."""
    outcomes: dict[str, float] = field(default_factory=dict)
    """Share (0…1) of the targets that meet a behaviour, named `behaviour[.args]`; the rest: ok."""
    project_faults: dict[str, ProjectFault] = field(default_factory=dict)
    """Projects (or `*` for all) that are refused whole."""
    reset_unread: float = 0.0
    """Share (0…1) of the requests to send that are reset before their body is read."""
    reject_access_tokens: bool = False
    """Whether every access token is refused (401)."""
    oauth_trust: OAuthTrust = OAuthTrust.REGISTERED
    oauth_expires_in: int = 3_600
    """Lifetime of access tokens, seconds."""
    oauth_latency_ms: float = 0.0
    oauth_fail_next: int = 0
    """That many of the next token requests are answered 503."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense with `ConfigError`."""
        for name in ("latency_ms", "quota_per_minute", "oauth_latency_ms", "oauth_fail_next"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is negative")
        if self.latency_p99_ms is not None and self.latency_p99_ms < self.latency_ms:
            raise ConfigError("latency_p99_ms lies below latency_ms")
        shares = self.outcomes.values()
        if any(not isinstance(share, int | float) for share in shares):
            raise ConfigError("the shares in outcomes are numbers")
        if sum(shares) > 1 + 1e-9 or any(share < 0 for share in shares):
            raise ConfigError("the shares in outcomes lie between 0 and 1, as does their sum")
        if not 0 <= self.reset_unread <= 1:
            raise ConfigError("reset_unread is a share between 0 and 1")
        self.plans()

    def plans(self) -> list[tuple[float, Plan]]:
        """Return the shares with the plans that their names stand for; ConfigError if unknown."""
        plans: list[tuple[float, Plan]] = []
        for name, share in self.outcomes.items():
            behaviour, *args = name.split(".")
            try:
                plans.append((share, parse_plan(behaviour, args)))
            except ValueError as exc:
                known = ", ".join(Behaviour)
                raise ConfigError(f"no such outcome: {name!r}; there are: {known}") from exc
        return plans

    def changed(self, changes: dict[str, Any]) -> Config:
        """Return a copy with the fields of a JSON object put in; ConfigError for unknown ones."""
        known = {f.name: f.type for f in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ConfigError(f"no such setting: {name!r}; there are: {', '.join(known)}")
            check_type(name, value, str(known[name]))
        try:
            return replace(self, **{n: _converted(n, v) for n, v in changes.items()})
        except ConfigError:
            raise
        except ValueError as exc:
            raise ConfigError(str(exc)) from exc

    def as_json(self) -> dict[str, Any]:
        """Return all settings as a JSON object."""
        return asdict(self)


def check_type(name: str, value: object, annotation: str) -> None:
    """Raise ConfigError where a JSON value is not of the setting's annotated type."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": number,
        "float | None": number or value is None,
        "bool": isinstance(value, bool),
    }.get(annotation, isinstance(value, dict if annotation.startswith("dict") else str))
    if not fits:
        raise ConfigError(f"{name} takes {annotation}, not {value!r}")


def _converted(name: str, value: Any) -> Any:
    if name == "retry_after":
        return RetryAfterForm(value)
    if name == "oauth_trust":
        return OAuthTrust(value)
    if name == "project_faults":
        return {project: ProjectFault(fault) for project, fault in value.items()}
    return value


def parse_outcomes(text: str) -> dict[str, float]:
    """Read `unregistered=0.02,unavailable.3=0.01` (the command line's form); ConfigError if not."""
    shares: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError as exc:
            raise ConfigError(f"{part!r} is not of the form outcome=share") from exc
        if not separator:
            raise ConfigError(f"{part!r} is not of the form outcome=share")
    return shares
