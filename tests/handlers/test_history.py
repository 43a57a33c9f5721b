"""The usage history over HTTP: whole periods, oldest first, none left out."""

from datetime import timedelta
from itertools import pairwise

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from tests.live import NOON
from tests.services.use_cases import fail

PATH = "/organization/usage/history"


def history(client, start, end, **parameters):
    return client.request("GET", PATH, params={"startDate": start, "endDate": end, **parameters})


def periods(answer):
    assert answer.status_code == 200, answer.text
    return [(each["yearMonth"], each["messageUsage"]) for each in answer.json()["items"]]


@pytest.fixture
def client(server):
    """A client of an organization whose last cycle ended on the 14th, UTC, and is not closed yet."""
    server.clock.now = NOON.replace(day=16)
    _, client = server.organization(Anchor(15, "Asia/Kathmandu"), starts_at=NOON - timedelta(days=200))
    for day, quantity in (("2026-11-14", 1), ("2026-11-15", 2), ("2026-11-16", 4)):
        event = {"id": day, "channel": "EMAIL", "quantity": quantity, "occurredAt": f"{day}T00:00:00Z"}
        assert client.record(event).json()["late"] == 0
    return client


def test_months_are_whole_and_empty_ones_are_there(client):
    assert periods(history(client, "2026-09-30", "2026-11-01")) == [("2026-09", 0), ("2026-10", 0), ("2026-11", 7)]
    (month,) = history(client, "2026-11-07", "2026-11-07", groupBy="calendar").json()["items"]
    assert (month["periodStart"], month["periodEnd"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")


def test_days_are_of_the_utc_calendar(client):
    found = periods(history(client, "2026-11-13", "2026-11-17", groupBy="day"))
    assert found == [("2026-11-13", 0), ("2026-11-14", 1), ("2026-11-15", 2), ("2026-11-16", 4), ("2026-11-17", 0)]


def test_cycles_go_by_their_first_day_in_the_organizations_zone(client):
    answer = history(client, "2026-11-14", "2026-11-15", groupBy="billing")
    assert periods(answer) == [("2026-10-15", 1), ("2026-11-15", 6)]
    running = answer.json()["items"][1]
    assert (running["periodStart"], running["periodEnd"]) == ("2026-11-14T18:15:00Z", "2026-12-14T18:15:00Z")
    usage = client.usage().json()
    assert {name: running[name] for name in usage if name in running} == {
        name: value for name, value in usage.items() if name in running
    }


@pytest.mark.parametrize(("grouping", "count"), [("calendar", 60), ("billing", 61), ("day", 1826)])
def test_five_years_are_given_whole(client, grouping, count):
    answer = history(client, "2022-01-01", "2026-12-31", groupBy=grouping)
    found = periods(answer)
    assert len(found) == count
    assert sum(messages for _, messages in found) == 7
    items = answer.json()["items"]
    assert all(earlier["periodEnd"] == later["periodStart"] for earlier, later in pairwise(items))


@pytest.mark.parametrize(
    ("start", "end", "pointer"),
    [
        ("2026-11-02", "2026-11-01", "query:endDate"),
        ("2022-01-01", "2027-01-01", "query:endDate"),
        ("2026-02-30", "2026-03-01", "query:startDate"),
        ("2026-1-1", "2026-03-01", "query:startDate"),
        ("20260101", "2026-03-01", "query:startDate"),
        ("1999-12-31", "2000-01-01", "query:endDate"),
        ("2099-12-31", "2100-01-01", "query:endDate"),
        ("0000-01-01", "2026-01-01", "query:startDate"),
        ("2026-01-01", "0000-12-31", "query:endDate"),
        ("2026-01-01", "", "query:endDate"),
    ],
)
def test_days_that_are_no_range_are_refused(sqlite_server, start, end, pointer):
    answer = history(sqlite_server.organization()[1], start, end)
    assert answer.status_code == 400
    assert pointer in [detail["pointer"] for detail in answer.json()["error"]["details"]]


def test_days_that_are_left_out_are_missed(sqlite_server):
    answer = sqlite_server.organization()[1].request("GET", PATH)
    assert {detail["pointer"] for detail in answer.json()["error"]["details"]} == {"query:startDate", "query:endDate"}


def test_a_locked_organization_reads_no_history(server):
    _, client = server.organization(caps=Caps(messages=0, enforcement="lock"))
    assert history(client, "2026-01-01", "2026-01-31").status_code == 402


def test_only_the_history_of_a_cycle_that_lacks_costs_is_refused_and_known_costs_are_given(server):
    organization, client = server.organization()
    client.record({"id": "1", "channel": "SMS", "provider": "twilio"})
    since = NOON - timedelta(hours=2)
    fail(server.store, organization.number, "twilio", "20003", since)
    for grouping in ("calendar", "billing", "day"):
        refused = history(client, "2026-11-20", "2026-11-20", groupBy=grouping)
        assert (refused.status_code, refused.json()["error"]["providerCode"]) == (502, "20003")
        (period,) = history(client, "2026-11-20", "2026-11-20", groupBy=grouping, costs="known").json()["items"]
        assert period["pendingCosts"] == 1
        assert history(client, "2026-10-01", "2026-10-30", groupBy=grouping).status_code == 200


def test_a_cost_that_is_owed_elsewhere_refuses_no_period_whose_own_costs_are_known(server):
    organization, client = server.organization(starts_at=NOON - timedelta(days=100))
    client.record({"id": "late", "channel": "SMS", "provider": "twilio"})
    server.clock.now = NOON + timedelta(days=62)
    client.request("PUT", "/organization/usage/events/late/cost", json={"cost": "0.01"})
    client.record({"id": "owed", "channel": "SMS", "provider": "twilio"})
    since = server.clock() - timedelta(hours=2)
    fail(server.store, organization.number, "twilio", "20003", since)
    for grouping in ("calendar", "day", "billing"):
        assert history(client, "2026-11-20", "2026-12-31", groupBy=grouping).status_code == 200
        assert history(client, "2026-11-20", "2027-01-21", groupBy=grouping).status_code == 502


def test_a_month_sums_more_than_one_cycle_may_hold(sqlite_server):
    organization, client = sqlite_server.organization(Anchor(15, "UTC"), starts_at=NOON - timedelta(days=200))
    statement = """
    INSERT INTO day_counters (organization_id, day, channel, quantity, cost_nano_usd, pending) VALUES (?, ?, ?, ?, ?, 0)
    """
    for day in (20771, 20773):
        for channel in ("SMS", "CALL", "EMAIL", "PUSH"):
            cost = 9 * 10**18 if channel in ("SMS", "CALL") else 0
            row = (organization.number, day, channel, 2**53 - 1, cost)
            sqlite_server.store.write(lambda row=row: sqlite_server.store.execute(statement, row))
    (month,) = history(client, "2026-11-01", "2026-11-30").json()["items"]
    assert (month["budgetUsage"], month["messageUsage"]) == (36 * 10**9, 4 * (2**53 - 1))
