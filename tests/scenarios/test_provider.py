from __future__ import annotations

import pytest

from loadtests.crash.campaign import Campaign
from loadtests.crash.scenarios import messages, provider
from loadtests.crash.system import System

pytestmark = pytest.mark.scenario


def test_whatever_the_provider_does_everybody_is_reached_and_poison_is_set_aside(
    system: System,
) -> None:
    """All at once, as most of it waits: retries come after 10 s at the soonest."""
    troubled = {name: provider.launch_troubled(system, name) for name in provider.TROUBLES}
    poisoned, unplanned = messages.launch_poison(system), messages.launch_poisoned_plan(system)
    refused = provider.refuse_project(system)

    def violations(name: str, campaign: Campaign) -> list[str]:
        unheard = 0.05 if name == "accept-then-drop" else 0.0
        return provider.judge_troubled(system, campaign, accepted_unheard=unheard).violations

    found = {
        "slow": provider.slow(system).violations,
        "revoked": provider.revoked_token(system).violations,
        "refused": provider.judge_refused(system, *refused).violations,
        "poison": messages.judge_poison(system, poisoned).violations,
        "poison-plan": messages.judge_poisoned_plan(system, unplanned).violations,
    }
    found |= {name: violations(name, campaign) for name, campaign in troubled.items()}
    assert found == {name: [] for name in found}
