"""Reading usage: of the running cycle, and of the periods before it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_text, microseconds, utc_day
from sendmeter.domain.organizations import Organization
from sendmeter.domain.periods import days, midnight, months
from sendmeter.domain.usage import Counter, Usage
from sendmeter.errors import ProviderFailed, UsageLimitExceeded
from sendmeter.services.cycles import cycle_at, cycles_between
from sendmeter.store import Store, organizations, providers, usage


@dataclass(frozen=True, slots=True)
class Period:
    """What was used in one period of a history, and what the period goes by: its month, or its first day."""

    name: str
    usage: Usage

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `UsagePeriod`."""
        return {
            "yearMonth": self.name,
            "periodStart": instant_text(self.usage.cycle.start),
            "periodEnd": instant_text(self.usage.cycle.end),
            **self.usage.amounts_to_json(),
        }


def get(store: Store, organization_number: int, now: datetime, *, known_costs: bool, grace_seconds: int) -> Usage:
    """Return an organization's usage of its running cycle, from counters alone.

    Raises UsageLimitExceeded if a cap is reached and the organization is locked by it, and ProviderFailed where a
    provider has failed for longer than the grace time and owes costs of the cycle, unless known costs are asked for.
    """

    def work() -> Usage:
        organization = organizations.by_number(store, organization_number)
        found = _running(store, organization, now)
        _refuse_where_locked(organization, found)
        if found.pending and not known_costs:
            failing_before = now - timedelta(seconds=grace_seconds)
            _refuse_where_owed(store, organization_number, found.cycle, found.cycle, failing_before)
        return found

    return store.read(work)


def history(
    store: Store,
    organization_number: int,
    first: date,
    last: date,
    grouping: str,
    now: datetime,
    *,
    known_costs: bool,
    grace_seconds: int,
) -> list[Period]:
    """Return an organization's usage by period, oldest first, from counters alone, for all that overlap some UTC days.

    `grouping` is `calendar` (UTC months), `billing` (cycles) or `day` (UTC days). Empty periods are there, and each is
    whole, even where it overlaps the days in part. What was late is counted when it was booked. Raises as `get` does.
    """

    def work() -> list[Period]:
        organization = organizations.by_number(store, organization_number)
        _refuse_where_locked(organization, _running(store, organization, now))
        if grouping == "billing":
            found = _by_cycle(store, organization, first, last)
        else:
            found = _by_day(store, organization, first, last, grouping)
        lacking = [period.usage.cycle for period in found if period.usage.pending]
        if lacking and not known_costs:
            cycles = list(cycles_between(store, organization, lacking[0].start, lacking[-1].end))
            failing_before = now - timedelta(seconds=grace_seconds)
            _refuse_where_owed(store, organization_number, cycles[0], cycles[-1], failing_before)
        return found

    return store.snapshot(work)


def _running(store: Store, organization: Organization, now: datetime) -> Usage:
    cycle = cycle_at(store, organization, now)
    return Usage.of(cycle, usage.of_cycle(store, organization.number, cycle))


def _by_cycle(store: Store, organization: Organization, first: date, last: date) -> list[Period]:
    cycles = list(cycles_between(store, organization, midnight(first), midnight(last + timedelta(days=1))))
    counted: dict[int, list[Counter]] = {}
    for start, counter in usage.of_cycles(store, organization.number, cycles[0], cycles[-1]):
        counted.setdefault(start, []).append(counter)
    return [
        Period(_first_day(organization, cycle), Usage.of(cycle, counted.get(microseconds(cycle.start), [])))
        for cycle in cycles
    ]


def _by_day(store: Store, organization: Organization, first: date, last: date, grouping: str) -> list[Period]:
    periods = list((days if grouping == "day" else months)(first, last))
    counted: dict[int, list[Counter]] = {}
    first_day, last_day = utc_day(periods[0].start), utc_day(periods[-1].end) - 1
    for day, counter in usage.of_days(store, organization.number, first_day, last_day):
        counted.setdefault(day, []).append(counter)
    name = "%Y-%m-%d" if grouping == "day" else "%Y-%m"
    return [
        Period(
            period.start.strftime(name),
            Usage.of(
                period,
                [each for day in range(utc_day(period.start), utc_day(period.end)) for each in counted.get(day, [])],
            ),
        )
        for period in periods
    ]


def _first_day(organization: Organization, cycle: Cycle) -> str:
    """Name a cycle by its first day, as the organization's calendar shows it."""
    zone = ZoneInfo(organization.schedule.anchor_at(cycle.start).time_zone)
    return cycle.start.astimezone(zone).date().isoformat()


def _refuse_where_locked(organization: Organization, running: Usage) -> None:
    if locked := organization.caps.locked(running):
        raise UsageLimitExceeded(locked)


def _refuse_where_owed(
    store: Store, organization_number: int, first: Cycle, last: Cycle, failing_before: datetime
) -> None:
    """Refuse sums that lack costs, where a provider that has been failing for too long owes costs of their cycles."""
    owed = providers.owing(store, organization_number, first, last, failing_before)
    if owed is not None:
        provider, since, code = owed
        raise ProviderFailed(
            f"{provider} has been failing since {instant_text(since)} and owes the cost of events of this time.",
            provider=provider,
            provider_code=code,
            fix="Ask again later, or with ?costs=known for the costs that are known.",
        )
