"""Providers in the store: which are failing, and whether they owe costs of a cycle."""

from datetime import datetime

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_of, microseconds
from sendmeter.store.database import Store
from sendmeter.store.tables import ProviderFailures

_OWING = """
SELECT provider, failing_since, provider_code FROM provider_failures AS failures
WHERE organization_id = ? AND failing_since <= ? AND EXISTS (
    SELECT 1 FROM pending_costs
    WHERE organization_id = ? AND cycle_starts_at BETWEEN ? AND ? AND provider = failures.provider
)
ORDER BY failing_since LIMIT 1
"""


def owing(
    store: Store, organization_number: int, first: Cycle, last: Cycle, failing_before: datetime
) -> tuple[str, datetime, str] | None:
    """Find a provider that has failed since an instant and owes costs of a cycle from the first to the last.

    Gives its name, since when it has failed, and its own code.
    """
    cycles = (microseconds(first.start), microseconds(last.start))
    parameters = (organization_number, microseconds(failing_before), organization_number, *cycles)
    row = store.execute(_OWING, parameters).fetchone()
    return None if row is None else (row[0], instant_of(row[1]), row[2])


def failed(store: Store, organization_number: int, provider: str, provider_code: str, now: datetime) -> None:
    """Note that a provider failed: since when stays, its code is the latest."""
    query = ProviderFailures.insert(
        organization_id=organization_number,
        provider=provider,
        failing_since=microseconds(now),
        provider_code=provider_code,
    ).on_conflict(
        conflict_target=[ProviderFailures.organization_id, ProviderFailures.provider],
        preserve=[ProviderFailures.provider_code],
    )
    query.execute(store.database)
