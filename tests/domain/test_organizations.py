"""A time zone is one that the zone data has, whatever else is asked for."""

from zoneinfo import ZoneInfo

import pytest

from sendmeter.domain.organizations import is_time_zone


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
