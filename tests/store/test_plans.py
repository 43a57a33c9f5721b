"""Queries read their index and nothing else: what they cost does not grow with what was recorded."""

import re
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.channels import CHANNELS
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.services import corrections, events, holds, limits, organizations, usage
from sendmeter.services.events import Search
from sendmeter.store import Store
from sendmeter.store import events as event_rows
from sendmeter.store import holds as hold_rows
from sendmeter.store.schema import upgrade
from tests.live import NOON

CHANGING = ("SELECT", "INSERT", "UPDATE", "DELETE")


class Explaining(Store):
    """A store that asks SQLite, of every statement, how it is going to be executed."""

    def __init__(self, url):
        super().__init__(url)
        self.plans = []

    def execute(self, statement, parameters=()):
        if statement.strip().startswith(CHANGING):
            rows = super().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            self.plans.append((statement, [row[-1] for row in rows]))
        return super().execute(statement, parameters)

    def plans_of(self, call):
        """Return each step of each plan of what a call executes, but the steps that only put others together."""
        self.plans.clear()
        call()
        assert self.plans
        return [step for _, plan in self.plans for step in plan if step.startswith(("SCAN", "SEARCH", "USE TEMP"))]


@pytest.fixture
def store(tmp_path):
    with closing(Explaining(f"{tmp_path}/test.db")) as made:
        upgrade(made)
        yield made


@pytest.fixture
def organization(store):
    made = organizations.create(store, "Test", Anchor(1, "UTC"), Caps(messages=10**6), NOON, by="test").organization
    batch = [UsageEvent.from_json({"id": f"e{number}", "channel": CHANNELS[number % 7]}) for number in range(50)]
    events.record(store, made.number, [("", each) for each in batch], NOON)
    return made


# What SQLite calls the rows of a statement itself: VALUES, a common part, what was found before.
OWN_ROWS = re.compile(
    r"SCAN (\d+ CONSTANT ROWS?|CONSTANT ROW|[a-z_]+ VIRTUAL|email|sms|call|push|slack|web_push|inapp_web|keys)$"
)


def scans(steps):
    return [step for step in steps if step.startswith("SCAN") and not OWN_ROWS.match(step)]


@pytest.mark.parametrize(
    "wanted",
    [
        {"start": None, "end": None, "before": None},
        {"start": NOON - timedelta(days=9), "end": NOON, "before": None},
        {"start": None, "end": None, "before": [10**15, "api", "e1"]},
        {"start": NOON - timedelta(days=9), "end": NOON, "before": [10**15, "api", "e1"]},
    ],
)
@pytest.mark.parametrize("channels", [("SMS",), CHANNELS])
def test_a_page_of_events_is_read_off_the_end_of_one_index_for_each_channel(store, organization, channels, wanted):
    steps = store.plans_of(lambda: event_rows.newest(store, organization.number, channels, limit=9, **wanted))
    reads = [step for step in steps if step.startswith("SEARCH events ")]
    assert len(reads) == len(channels)
    assert all("events_channel_time (organization_id=? AND channel=?" in step for step in reads), reads
    if wanted["start"] or wanted["before"]:
        assert all("occurred_at" in step for step in reads), reads
    assert scans(steps) == []
    before_sorts = [before for before, step in pairwise(steps) if step.startswith("USE TEMP")]
    assert all(OWN_ROWS.match(before) for before in before_sorts), "more than one page of a channel is sorted"


def test_what_is_held_is_added_up_from_the_index_of_standing_holds_alone(store, organization):
    steps = store.plans_of(lambda: hold_rows.standing(store, organization.number, NOON))
    (read,) = [step for step in steps if step.startswith("SEARCH")]
    assert "USING COVERING INDEX holds_standing (organization_id=? AND expires_at>?)" in read
    assert scans(steps) == []


def calls(store, number):
    costs = {"known_costs": False, "grace_seconds": 0}
    key = ("api", "e1")
    return {
        "usage.get": lambda: usage.get(store, number, NOON, **costs),
        **{
            f"history by {grouping}": lambda grouping=grouping: usage.history(
                store, number, date(2025, 1, 1), date(2026, 11, 20), grouping, NOON, **costs
            )
            for grouping in ("calendar", "billing", "day")
        },
        "limits.get": lambda: limits.get(store, number, NOON),
        "events.get": lambda: events.get(store, number, key),
        "events.search": lambda: events.search(store, number, Search(), None, 20),
        "events.record": lambda: events.record(
            store,
            number,
            [("", UsageEvent.from_json({"id": f"e{each}", "channel": CHANNELS[each % 7]})) for each in range(60)],
            NOON,
        ),
        "events.settle": lambda: corrections.settle(store, number, ("api", "e5"), 5, None, NOON, by="test"),
        "events.void": lambda: corrections.void(store, number, ("api", "e6"), "test", NOON, by="test"),
        "holds.place": lambda: holds.place(store, number, Asked("h", "SMS", 1, 5, 60), lambda: NOON),
        "holds.settle": lambda: (
            holds.place(store, number, Asked("h", "SMS", 1, 5, 60), lambda: NOON),
            holds.settle(store, number, "h", {}, lambda: NOON),
        ),
    }


@pytest.mark.parametrize("name", calls(None, 0))
def test_no_request_scans_a_table(store, organization, name):
    steps = store.plans_of(calls(store, organization.number)[name])
    assert any(step.startswith("SEARCH") for step in steps)
    assert scans(steps) == []
    unbound = [step for step in steps if step.startswith("SEARCH") and "organization_id=?" not in step]
    assert [step for step in unbound if "list_subquery" not in step.lower()] == []


def test_a_table_that_is_scanned_would_be_noticed(store, organization):
    steps = store.plans_of(lambda: store.execute("SELECT * FROM events WHERE quantity = 7"))
    assert scans(steps) == ["SCAN events"]
