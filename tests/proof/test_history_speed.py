"""Five years of days are read from counters alone: right, and by as few queries as a day is."""

import json
import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.services import events
from sendmeter.services.verify import differences
from tests.proof.model import nanos

CHANNELS = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK", "SMS", "CALL")
FIRST = datetime(2021, 11, 20, tzinfo=UTC)
DAYS = 5 * 365 + 1


def quantity(day, channel):
    return 1 + (day * 7 + CHANNELS.index(channel)) % 997


def nano_usd(day, channel):
    """Costs that no binary float adds up right."""
    return (day % 89 + 1) * 237_500 + 1 if channel in ("SMS", "CALL") else 0


def sent(day, channel):
    cost = {"cost": f"0.{nano_usd(day, channel):09d}"} if nano_usd(day, channel) else {}
    occurred_at = (FIRST + timedelta(days=day, seconds=day)).isoformat()
    made = {"id": f"{day}-{channel}", "channel": channel, "quantity": quantity(day, channel), "occurredAt": occurred_at}
    return UsageEvent.from_json(made | cost)


@pytest.fixture
def traffic(server):
    """An organization with traffic on every channel, every day for five years; gives it and its client."""
    organization, client = server.organization(Anchor(31, "Europe/Berlin"), starts_at=FIRST)
    made = [("", sent(day, channel)) for day in range(DAYS) for channel in CHANNELS]
    for start in range(0, len(made), 1_000):
        events.record(
            server.store, organization.number, made[start : start + 1_000], server.clock(), backfilled_by="test"
        )
    assert differences(server.store, organization) == []
    return client


@contextmanager
def counted_queries():
    """Count what peewee executes."""
    found = []
    handler = logging.Handler()
    handler.emit = lambda said: found.append(said) if said.name == "peewee" else None
    logger = logging.getLogger("peewee")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


def history(client, first, last, grouping):
    with counted_queries() as queries:
        path = f"/organization/usage/history?startDate={first:%Y-%m-%d}&endDate={last:%Y-%m-%d}&groupBy={grouping}"
        answer = client.request("GET", path)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)["items"], len(queries)


def test_a_history_of_five_years_is_right_and_takes_no_more_queries_than_one_of_a_day(traffic):
    last = FIRST + timedelta(days=DAYS - 1)
    for grouping in ("day", "calendar", "billing"):
        items, queries = history(traffic, FIRST, last, grouping)
        _, fewest = history(traffic, FIRST, FIRST, grouping)
        assert queries == fewest <= 12
        check_sums(items)
        if grouping == "day":
            check_days(items)


def check_sums(items):
    """All of it is in some item, and in just one."""
    sent_in_all = sum(quantity(day, channel) for day in range(DAYS) for channel in CHANNELS[:5])
    assert sum(item["messageUsage"] for item in items) == sent_in_all
    assert sum(nanos(item["costSms"]) for item in items) == sum(nano_usd(day, "SMS") for day in range(DAYS))


def check_days(items):
    assert len(items) == DAYS
    for day, item in enumerate(items):
        start = FIRST + timedelta(days=day)
        assert item["yearMonth"] == f"{start:%Y-%m-%d}"
        assert item["periodStart"] == f"{start:%Y-%m-%dT00:00:00Z}"
        assert item["channelUsages"] == {channel: quantity(day, channel) for channel in CHANNELS}
        assert nanos(item["costSms"]) == nanos(item["costCall"]) == nano_usd(day, "SMS")
        assert nanos(item["budgetUsage"]) == 2 * nano_usd(day, "SMS")
        assert item["pendingCosts"] == 0
