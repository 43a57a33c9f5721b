"""Which cycle an instant is booked into: the written one, else the one that the anchor gives."""

from datetime import datetime

from sendmeter.domain.cycles import Cycle, cycle_containing
from sendmeter.domain.organizations import Organization
from sendmeter.store import Store, cycles


def cycle_at(store: Store, organization: Organization, instant: datetime) -> Cycle:
    """Find an organization's cycle at an instant, without writing anything."""
    written = cycles.containing(store, organization.number, instant)
    return written or cycle_containing(organization.anchor, instant)
