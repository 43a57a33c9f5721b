"""Organizations: whom usage is counted for."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import available_timezones

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization: `number` is what the store knows it by, `organization_id` what everybody else does.

    Nothing that was sent before `starts_at` is counted.
    """

    number: int
    organization_id: str
    name: str
    anchor: Anchor
    starts_at: datetime
    created_at: datetime
    caps: Caps


def is_time_zone(name: str) -> bool:
    """Tell whether the zone data has an IANA time zone of that name."""
    return name in available_timezones()
