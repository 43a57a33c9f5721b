"""Limits: an organization's caps, how they stand, and what is held of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sendmeter.domain.caps import Caps, Standing
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_text
from sendmeter.domain.organizations import Organization
from sendmeter.domain.usage import Counter, Usage
from sendmeter.services.cycles import cycle_at
from sendmeter.services.organizations import save
from sendmeter.store import Store, holds, organizations, usage


@dataclass(frozen=True, slots=True)
class Limits:
    """An organization's caps, and how each stands in the running cycle."""

    caps: Caps
    cycle: Cycle
    standings: list[Standing]

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `OrganizationLimits`."""
        return {
            **self.caps.to_json(),
            "standings": [standing.to_json() for standing in self.standings],
            "billingCycleStart": instant_text(self.cycle.start),
            "billingCycleEnd": instant_text(self.cycle.end),
        }


def get(store: Store, organization_number: int, now: datetime) -> Limits:
    """Return an organization's caps and how they stand, both at one instant: a settled hold is counted once."""

    def work() -> Limits:
        organization = organizations.by_number(store, organization_number)
        return _limits(store, organization, organization.decision_at(now))

    return store.snapshot(work)


def change(
    store: Store, organization_number: int, changed: Callable[[Caps], Caps], now: datetime, *, by: str
) -> Limits:
    """Change an organization's caps; the new ones count at once.

    Raises NotFound if there is no such organization (any more).
    """

    def work() -> Limits:
        before = organizations.lock(store, organization_number)
        after = save(store, before, replace(before, caps=changed(before.caps)), by=by, now=now)
        return _limits(store, after, after.decision_at(now))

    return store.write(work)


def used_and_held(store: Store, organization: Organization, now: datetime) -> tuple[Usage, Usage]:
    """Return the running cycle's usage and, added up like it, what is held.

    Held is what holds keep; what is recorded for later cycles, so that no hold finds room in this cycle for what the
    next one has no room for; and, of events whose cost is pending, what their holds had estimated, so that the budget
    does not look free while a provider takes its time.
    """
    cycle = cycle_at(store, organization, now)
    own, later = usage.from_cycle_on(store, organization.number, cycle)
    held = [
        *holds.standing(store, organization.number, now),
        *(each.without_returns for each in later),
        *(Counter(each.channel, 0, each.estimated_nano_usd, 0) for each in (*own, *later)),
    ]
    return Usage.of(cycle, own), Usage.of(cycle, held)


def _limits(store: Store, organization: Organization, now: datetime) -> Limits:
    used, held = used_and_held(store, organization, now)
    return Limits(organization.caps, used.cycle, organization.caps.standings(used, held))
