"""Instants: aware UTC datetimes in the code, integers of microseconds since 1970 in the store, RFC 3339 at the edge."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], datetime]
"""Returns the present instant, UTC."""

# What `datetime.fromisoformat` takes beyond RFC 3339 (week dates, no zone, a comma, `24:00`) is refused here first.
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)


def microseconds(instant: datetime) -> int:
    """Turn an instant into microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def instant_of(count: int) -> datetime:
    """Turn microseconds since 1970 into an instant."""
    return EPOCH + timedelta(microseconds=count)


@lru_cache(maxsize=4_096)
def read_instant(text: str) -> datetime:
    """Read an RFC 3339 instant; what is finer than a microsecond is cut off.

    The last ones are remembered: the contract's schema reads each that is sent, and then whoever uses it.

    Raises ValueError if it is none. Leap seconds (`:60`), which no clock of ours shows, are none.
    """
    if not _RFC_3339.fullmatch(text):
        raise ValueError("is not an RFC 3339 instant like 2026-11-20T09:30:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is not a date of the calendar") from None


def instant_text(instant: datetime) -> str:
    """Write an instant in UTC with `Z`, without a fraction where it has none."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc_day(instant: datetime) -> int:
    """Return the number of an instant's UTC day: days since 1970-01-01."""
    return (instant - EPOCH).days
