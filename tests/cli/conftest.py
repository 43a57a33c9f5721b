"""What the tests of commands have in common: an organization, its usage, traffic with its sums."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from click.testing import CliRunner

from sendmeter.app import utc_now
from sendmeter.cli import main
from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import organizations
from tests.live import live_server

CHANNELS = ["EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK", "SMS", "CALL"]


@dataclass
class Founded:
    """An organization whose running cycle began 15 days ago, and a way to ask for its usage over HTTP."""

    store: object
    organization_id: str
    token: str

    def usage(self, query=""):
        with live_server(self.store, utc_now) as live:
            answer = live.client(self.token).usage(query)
        assert answer.status_code == 200
        return json.loads(answer.text, parse_float=Decimal)

    def rows(self, statement):
        return self.store.read(lambda: self.store.execute(statement).fetchall())


def found(store):
    now = datetime.now(UTC)
    anchor = Anchor((now - timedelta(days=15)).day, "UTC")
    founded = organizations.create(store, "Test", anchor, Caps(), now, starts_at=now - timedelta(days=100))
    return Founded(store, founded.organization.organization_id, founded.token)


@pytest.fixture
def founded(store):
    """An organization on each database."""
    return found(store)


@pytest.fixture
def sqlite_founded(sqlite_store):
    """An organization on SQLite, for what does not differ between databases."""
    return found(sqlite_store)


@dataclass
class Traffic:
    """Events of the last ten days, and what they must add up to."""

    events: list

    def lines(self):
        return [json.dumps(event) for event in self.events]

    def sums(self):
        quantity, cost = dict.fromkeys(CHANNELS, 0), dict.fromkeys(CHANNELS, Decimal(0))
        for event in self.events:
            quantity[event["channel"]] += event.get("quantity", 1)
            cost[event["channel"]] += Decimal(str(event.get("cost", 0)))
        return {
            "messageUsage": sum(quantity[channel] for channel in CHANNELS[:5]),
            "budgetUsage": cost["SMS"] + cost["CALL"],
            "costSms": cost["SMS"],
            "costCall": cost["CALL"],
            "channelUsages": quantity,
            "pendingCosts": sum(event["channel"] in ("SMS", "CALL") and "cost" not in event for event in self.events),
        }


@pytest.fixture
def traffic():
    """Make traffic like a month's of a sender: mostly messages, prices in fractions of a cent, some not known yet."""

    def make(count, seed=1):
        chance = random.Random(seed)
        now = datetime.now(UTC)
        events = []
        for number in range(count):
            channel = chance.choices(CHANNELS, [50, 15, 5, 12, 3, 12, 3])[0]
            event = {"id": f"e-{seed}-{number}", "channel": channel}
            event["occurredAt"] = (now - timedelta(seconds=chance.randrange(864_000))).isoformat()
            if chance.random() < 0.3:
                event["quantity"] = chance.randint(1, 40)
            if channel in ("SMS", "CALL") and chance.random() < 0.9:
                cost = f"{chance.randint(0, 2)}.{chance.randint(1, 10**9 - 1):09d}"
                event["cost"] = cost if chance.random() < 0.5 else float(cost)
                event["provider"] = chance.choice(["telnyx", "twilio"])
            if chance.random() < 0.2:
                event["metadata"] = {"country": chance.choice(["DE", "Côte d'Ivoire"])}
            events.append(event)
        return Traffic(events)

    return make


@pytest.fixture
def run_here(tmp_path, monkeypatch):
    """Run a command in this process, in an empty folder: a second faster, where its options are all that matters."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments)
