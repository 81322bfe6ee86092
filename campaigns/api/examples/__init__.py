"""An example of every body in the OpenAPI description, by the name of its component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from campaigns.api.examples.campaigns import CAMPAIGNS
from campaigns.api.examples.devices import DEVICES
from campaigns.api.examples.errors import ERRORS
from campaigns.api.examples.others import OTHERS

__all__ = ["ERRORS", "EXAMPLES"]

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {**CAMPAIGNS, **DEVICES, **OTHERS}
