"""A time zone is one that the zone data has, and an organization starts in the past, from 2000 on."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, reset_tzpath

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, Schedule
from sendmeter.domain.organizations import Organization, is_time_zone, refused_start, time_zones

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
Y2K = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_time_zones_are_known_and_can_be_used(name):
    assert is_time_zone(name)
    assert ZoneInfo(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "Europe",
        "Europe/",
        "europe/berlin",
        "Europe/Berlin ",
        "Europe/Berlin\0",
        "Europe/../UTC",
        "../../etc/passwd",
        "/etc/passwd",
        "zone.tab",
        "tzdata.zi",
        "posixrules",
        "+01:00",
        "CEST",
        "\ud800",
        "x" * 10_000,
    ],
    ids=ascii,
)
def test_what_is_no_time_zone_is_refused_and_no_file_is_looked_for(name):
    assert not is_time_zone(name)


@pytest.mark.parametrize(
    ("starts_at", "said"),
    [
        (NOON, None),
        (NOON + TICK, "2026-11-20T12:00:00.000001Z is in the future"),
        (Y2K, None),
        (Y2K - TICK, "1999-12-31T23:59:59.999999Z is before 2000-01-01T00:00:00Z"),
    ],
)
def test_an_organization_starts_between_2000_and_now_to_the_microsecond(starts_at, said):
    assert refused_start(starts_at, NOON) == said


def test_an_organization_tells_the_anchor_that_counts_and_the_next_and_never_its_cursor_key():
    change = datetime(2026, 12, 1, tzinfo=UTC)
    schedule = Schedule(Anchor(1, "UTC")).changed(Anchor(15, "Asia/Kolkata"), change)
    organization = Organization(7, "org_x", "Test", schedule, Y2K, NOON, Caps(messages=5), b"secret" * 5)
    told = {
        "organizationId": "org_x",
        "name": "Test",
        "anchorDay": 1,
        "timezone": "UTC",
        "startsAt": "2000-01-01T00:00:00Z",
        "createdAt": "2026-11-20T12:00:00Z",
        "limits": {"messageCap": 5, "enforcement": "block"},
    }
    following = {"anchorDay": 15, "timezone": "Asia/Kolkata", "startsAt": "2026-12-01T00:00:00Z"}
    assert organization.to_json(change - TICK) == told | {"nextAnchor": following}
    assert organization.to_json(change) == told | {"anchorDay": 15, "timezone": "Asia/Kolkata"}


@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", "posix/UTC", "right/UTC", ""])
def test_what_depends_on_the_machine_is_no_time_zone(name):
    assert not is_time_zone(name)


def test_names_of_no_place_are_no_time_zones_where_the_machine_has_files_of_them(tmp_path):
    for name in ("localtime", "Factory", "Somewhere"):
        (tmp_path / name).write_bytes(b"TZif")
    try:
        reset_tzpath([str(tmp_path)])
        time_zones.cache_clear()
        assert [is_time_zone(name) for name in ("Somewhere", "localtime", "Factory")] == [True, False, False]
    finally:
        reset_tzpath()
        time_zones.cache_clear()
