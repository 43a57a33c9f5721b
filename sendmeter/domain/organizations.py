"""Organizations: whom usage is counted for."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Schedule
from sendmeter.domain.events import MOST_AHEAD
from sendmeter.domain.instants import EPOCH, instant_text

EARLIEST_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization: `number` is what the store knows it by, `organization_id` what everybody else does.

    Nothing that was sent before `starts_at` is counted. `cursor_key` is a secret of the server's own: it signs the
    organization's cursors, and is shown to nobody. `decided_at` is the instant of the last decision about a hold.
    """

    number: int
    organization_id: str
    name: str
    schedule: Schedule
    starts_at: datetime
    created_at: datetime
    caps: Caps
    cursor_key: bytes = field(repr=False)
    decided_at: datetime = EPOCH

    def decision_at(self, now: datetime) -> datetime:
        """Return the instant of a decision made at `now`: never before the last decision's.

        A clock may lag up to five minutes behind the one that the last decision went by. One that lags further was
        wrong before and has been set right, so it is followed.
        """
        return max(now, self.decided_at) if self.decided_at - now <= MOST_AHEAD else now

    def to_json(self, now: datetime) -> dict[str, Any]:
        """Write the contract's `Organization`, with the anchor that counts now and the one that is to count next."""
        anchor = self.schedule.anchor_at(now)
        following = [{**_anchor_to_json(each), "startsAt": instant_text(at)} for at, each in self.schedule.after(now)]
        return {
            "organizationId": self.organization_id,
            "name": self.name,
            **_anchor_to_json(anchor),
            **({"nextAnchor": following[0]} if following else {}),
            "startsAt": instant_text(self.starts_at),
            "createdAt": instant_text(self.created_at),
            "limits": self.caps.to_json(),
        }


def refused_start(starts_at: datetime, now: datetime) -> str | None:
    """Say why an organization cannot start then; None where it can."""
    if starts_at > now:
        return f"{instant_text(starts_at)} is in the future"
    if starts_at < EARLIEST_START:
        return f"{instant_text(starts_at)} is before {instant_text(EARLIEST_START)}"
    return None


def _anchor_to_json(anchor: Anchor) -> dict[str, Any]:
    return {"anchorDay": anchor.day, "timezone": anchor.time_zone}


@lru_cache(maxsize=1)
def time_zones() -> frozenset[str]:
    """Return the names of all IANA time zones that the zone data has; the files are looked through once.

    Not `localtime`, which is what this machine is set to, nor `Factory`, which is what nobody has set.
    """
    return frozenset(available_timezones() - {"localtime", "Factory"})


def is_time_zone(name: str) -> bool:
    """Return whether the zone data has an IANA time zone of that name."""
    return name in time_zones()
