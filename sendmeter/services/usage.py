"""Reading usage."""

from datetime import datetime, timedelta

from sendmeter.domain.instants import instant_text
from sendmeter.domain.usage import Usage
from sendmeter.errors import NotFound, ProviderFailed, UsageLimitExceeded
from sendmeter.services.cycles import cycle_at
from sendmeter.store import Store, organizations, providers, usage


def get(store: Store, organization_number: int, now: datetime, *, known_costs: bool, grace_seconds: int) -> Usage:
    """Give an organization's usage of its running cycle, from counters alone.

    Raises UsageLimitExceeded where a cap is reached and the organization is locked by it, and ProviderFailed where a
    provider has failed for longer than the grace time and owes costs of the cycle, unless known costs are asked for.
    """

    def work() -> Usage:
        organization = organizations.by_number(store, organization_number)
        if organization is None:
            raise NotFound("There is no such organization (any more).")
        cycle = cycle_at(store, organization, now)
        found = Usage.of(cycle, usage.of_cycle(store, organization_number, cycle))
        if locked := organization.caps.locked(found):
            raise UsageLimitExceeded(locked)
        if found.pending and not known_costs:
            _refuse_where_owed(store, organization_number, found, now - timedelta(seconds=grace_seconds))
        return found

    return store.read(work)


def _refuse_where_owed(store: Store, organization_number: int, found: Usage, failing_before: datetime) -> None:
    owed = providers.owing(store, organization_number, found.cycle, failing_before)
    if owed is not None:
        provider, since, code = owed
        raise ProviderFailed(
            f"{provider} has been failing since {instant_text(since)} and owes the cost of events of this cycle.",
            provider=provider,
            provider_code=code,
            fix="Ask again later, or with ?costs=known for the costs that are known.",
        )
