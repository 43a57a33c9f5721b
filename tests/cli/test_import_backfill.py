"""`sendmeter import --backfill`: into closed cycles, back to the organization's start, and told in the audit log."""

import getpass
import json
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.instants import instant_of
from tests.cli.files import lines_of, rows, stored_ids
from tests.live import run_json

DAYS_AGO = {"new": 0, "closed": 200, "old": 500}


@pytest.fixture
def old_shop(database_url):
    """An organization that started 900 days ago."""
    starts_at = (datetime.now(UTC) - timedelta(days=900)).date().isoformat()
    options = ("--name", "Old", "--anchor-day", "17", "--timezone", "Asia/Tokyo", "--starts-at", starts_at)
    return run_json("organizations", "create", *options, database_url=database_url) | {"url": database_url}


def event(event_id, days):
    sent = datetime.now(UTC) - timedelta(days=days, minutes=1)
    return {"id": event_id, "channel": "SMS", "cost": "0.5", "occurredAt": sent.isoformat()}


def imported(shop, events, *options, expected=0):
    command = ("import", "-", "--organization", shop["organizationId"], *options)
    return run_json(*command, stdin=lines_of(events), database_url=shop["url"], expected=expected)


def test_events_of_closed_cycles_and_of_long_ago_are_booked_where_they_belong_and_the_log_tells(old_shop):
    events = [event(event_id, days) for event_id, days in DAYS_AGO.items()]
    refused = imported(old_shop, events, expected=1)
    assert refused["badLines"] == ["line 3: occurredAt is more than 400 days ago"]
    assert imported(old_shop, events[1:2])["late"] == 1
    report = imported(old_shop, [events[0], events[2], event("closed-2", 200)], "--backfill")
    assert report == {"accepted": 3, "duplicates": 0, "late": 0, "notStored": 0, "badLines": []}

    statement = """
    SELECT event_id, late, occurred_at >= starts_at AND occurred_at < ends_at, starts_at FROM events JOIN cycles
    ON cycles.organization_id = events.organization_id AND starts_at = cycle_starts_at
    """
    found = {event_id: (bool(late), bool(own)) for event_id, late, own, _ in rows(old_shop["url"], statement)}
    assert found == {"new": (False, True), "old": (False, True), "closed": (True, False), "closed-2": (False, True)}
    [backfilled, *_] = run_json("audit", "--organization", old_shop["organizationId"], database_url=old_shop["url"])
    starts = sorted(start for event_id, _, _, start in rows(old_shop["url"], statement) if event_id != "closed")
    assert (backfilled["action"], backfilled["by"]) == ("events.backfilled", f"cli:{getpass.getuser()}")
    assert backfilled["details"]["events"] == 3
    told = [datetime.fromisoformat(start) for start in backfilled["details"]["billingCycles"]]
    assert told == [instant_of(start) for start in starts]
    assert run_json("verify", database_url=old_shop["url"])["differences"] == {}


def test_a_backfill_that_is_run_again_counts_nothing_twice_and_is_told_once(shop, run_here, tmp_path):
    (tmp_path / "events.ndjson").write_text(lines_of([event("a", 300), event("b", 100)]))
    command = ("import", "events.ndjson", "--organization", shop["organizationId"], "--backfill", "--json")
    reports = [json.loads(run_here(*command).stdout) for _ in range(2)]
    assert [(report["accepted"], report["duplicates"]) for report in reports] == [(2, 0), (0, 2)]
    log = json.loads(run_here("audit", "--organization", shop["organizationId"], "--json").stdout)
    assert [entry["action"] for entry in log].count("events.backfilled") == 1


def test_a_backfill_does_not_go_back_before_the_organizations_start(shop, run_here, tmp_path):
    (tmp_path / "events.ndjson").write_text(lines_of([event("a", 390)]))
    done = run_here("import", "events.ndjson", "--organization", shop["organizationId"], "--backfill")
    assert done.exit_code == 1
    assert f"line 1: occurredAt is before the organization's start, {shop['startsAt']}" in done.stderr
    assert stored_ids(shop["url"]) == set()


def test_the_help_says_what_a_backfill_changes_and_where_it_is_written(run_here):
    told = " ".join(run_here("import", "--help").stdout.split())
    for said in ("changes what closed cycles counted", "older than 400 days", "audit log"):
        assert said in told
