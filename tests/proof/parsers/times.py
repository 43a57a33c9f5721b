"""Instants: a text is read as the microsecond that it names, reckoned here without a library's calendar, or not."""

from datetime import UTC, datetime, timedelta

from sendmeter.domain.instants import (
    MICROSECONDS_PER_DAY,
    instant_of,
    instant_text,
    microseconds,
    read_instant,
    utc_day,
)

SHAPE = "dddd-dd-ddTdd:dd:dd"
FIRST, LAST = -719_162 * MICROSECONDS_PER_DAY, 2_932_897 * MICROSECONDS_PER_DAY - 1
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

SEEDS = [
    b"2026-11-20T12:00:00Z", b"2026-11-20t12:00:00.123456789z", b"2028-02-29T23:59:59.5+05:30", b"1900-02-29T00:00:00Z",
    b"2026-11-20T12:00:00-00:00", b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59.9999999-00:01",
    b"0000-01-01T00:00:00Z", b"2026-11-20T24:00:00Z", b"2026-12-31T23:59:60Z", b"2026-W47-5T12:00:00Z",
    b"2026-11-20 12:00:00Z", b"2026-11-20T12:00:00,5Z", b"2000-02-29T00:00:00Z",
]  # fmt: skip
TOKENS = ["T", "Z", "t", "z", "+00:00", "-23:59", ".000000001", ":60", "24:00", "0000", "9999", "02-29", "W", "\u0662"]


def check(data):
    text = data.decode(errors="surrogateescape")
    expected = reckoned(text)
    assert read(text) == expected, (text, expected)
    count = expected if expected is not None else FIRST + int.from_bytes(data[:8]) % (LAST - FIRST + 1)
    instant = instant_of(count)
    assert microseconds(instant) == count
    assert instant == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=count)
    assert utc_day(instant) == count // MICROSECONDS_PER_DAY
    assert read(instant_text(instant)) == reckoned(instant_text(instant)) == count
    if expected is not None:
        # What the standard library reads, too, it reads as the same.
        assert datetime.fromisoformat(text.upper()) == instant


def read(text):
    try:
        instant = read_instant(text)
    except ValueError:
        return None
    assert instant.utcoffset() == timedelta(0)
    return microseconds(instant)


def reckoned(text):
    """Return the microseconds since 1970 of an RFC 3339 instant, cut off; None where it is none, or of no year."""
    head, tail = text[:19], text[19:]
    if len(head) < 19 or not all(_fits(*pair) for pair in zip(head, SHAPE, strict=True)):
        return None
    year, month, day, hour, minute, second = (int(head[at : at + 2]) for at in (2, 5, 8, 11, 14, 17))
    year += 100 * int(head[:2])
    point, digits = tail[:1] == ".", len(tail[1:]) - len(tail[1:].lstrip("0123456789"))
    fraction = int(tail[1 : digits + 1][:6].ljust(6, "0")) if point else 0
    offset = _offset(tail[digits + 1 :] if point else tail)
    if (
        offset is None
        or (point and not 1 <= digits <= 9)
        or not 1 <= month <= 12
        or hour > 23
        or minute > 59
        or second > 59
    ):
        return None
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year == 0 or not 1 <= day <= DAYS[month - 1] + (is_leap and month == 2):
        return None
    before = (year - 1) * 365 + (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400
    days = before + sum(DAYS[: month - 1]) + (is_leap and month > 2) + day - 1 - 719_162
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    count = seconds * 1_000_000 + fraction
    return count if FIRST <= count <= LAST else None


def _fits(character, kind):
    return character in "0123456789" if kind == "d" else character.upper() == kind and character.isascii()


def _offset(zone):
    """Return the seconds that a zone is ahead of UTC."""
    if zone in ("Z", "z"):
        return 0
    if len(zone) != 6 or not all(_fits(*pair) for pair in zip(zone[1:], "dd:dd", strict=True)) or zone[0] not in "+-":
        return None
    hours, minutes = int(zone[1:3]), int(zone[4:])
    sign = -1 if zone[0] == "-" else 1
    return sign * (hours * 3600 + minutes * 60) if hours <= 23 and minutes <= 59 else None
