"""Proof: every counter computed again from the ledger."""

from collections.abc import Iterator
from datetime import timedelta

from sendmeter.domain.instants import instant_of, instant_text
from sendmeter.domain.money import usd_text
from sendmeter.domain.organizations import Organization
from sendmeter.store import Store, ledger

Amounts = tuple[int, int, int, int]


def differences(store: Store, organization: Organization) -> list[str]:
    """Name everything of an organization that is not what its ledger adds up to; an empty list is the proof."""
    # One transaction, so that what is recorded meanwhile is in both sums or in neither.
    return store.snapshot(lambda: differences_within(store, organization))


def differences_within(store: Store, organization: Organization) -> list[str]:
    """Name them within a transaction that is under way."""
    number = organization.number
    return [
        *_compare("cycle", ledger.cycles_counted(store, number), ledger.cycles_of_ledger(store, number)),
        *_compare("day", ledger.days_counted(store, number), ledger.days_of_ledger(store, number)),
        *_compare_returned(ledger.returned_counted(store, number), ledger.returned_of_ledger(store, number)),
        *(
            f"event {event_id} of source {source} is booked into a cycle that does not contain it"
            for source, event_id in ledger.misplaced(store, number)
        ),
        *(
            f"the cycle that starts at {instant_text(instant_of(start))} begins before an earlier one ends"
            for start in ledger.overlapping(store, number)
        ),
        *(
            f"event {event_id} of source {source} is listed as pending and is not, or is and is not listed"
            for source, event_id in ledger.pending_differences(store, number)
        ),
    ]


def _compare(kind: str, counted: ledger.Sums, summed: ledger.Sums) -> Iterator[str]:
    nothing = (0, 0, 0, 0)
    for period, channel in sorted(counted.keys() | summed.keys()):
        has, should = counted.get((period, channel), nothing), summed.get((period, channel), nothing)
        if has != should:
            start = instant_of(period) if kind == "cycle" else instant_of(0) + timedelta(days=period)
            said = f"{kind} {instant_text(start)} {channel}"
            yield f"{said}: the counter has {_text(has)}, the ledger adds up to {_text(should)}"


def _compare_returned(counted: ledger.Returned, summed: ledger.Returned) -> Iterator[str]:
    for start, channel in sorted(counted.keys() | summed.keys()):
        has, should = counted.get((start, channel), (0, 0)), summed.get((start, channel), (0, 0))
        if has != should:
            yield (
                f"cycle {instant_text(instant_of(start))} {channel}: the counter says that earlier cycles got back "
                f"{has[0]} for {usd_text(has[1])} USD, the ledger adds up to {should[0]} for {usd_text(should[1])} USD"
            )


def _text(amounts: Amounts) -> str:
    quantity, cost, pending, estimated = amounts
    told = f" (estimated at {usd_text(estimated)} USD)" if estimated else ""
    return f"{quantity} for {usd_text(cost)} USD with {pending} pending{told}"
