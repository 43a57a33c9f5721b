"""Events for files, and what they add up to, computed here and not by the product."""

import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sendmeter.store import Store
from tests.live import Client, served_process

MESSAGES = ["EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK"]


def events_of_today(count):
    """Make events of the last days, most SMS and calls with a cost of up to nine decimals."""
    chance = random.Random(7)
    now = datetime.now(UTC)
    made = []
    for index in range(count):
        channel = chance.choice([*MESSAGES, "SMS", "CALL"])
        sent = now - timedelta(seconds=chance.randint(0, 86_400))
        event = {"id": f"e-{index}", "channel": channel, "occurredAt": sent.isoformat(), "source": "crm"}
        if chance.random() < 0.5:
            event["quantity"] = chance.randint(1, 1_000_000)
        if channel in ("SMS", "CALL") and index % 5:
            # As text and as a JSON number, which a float holds to the ninth digit where the amount is small.
            small = chance.randint(100_000_000, 9_999_999_999) / 1_000_000_000
            large = f"{chance.randint(0, 999_999)}.{chance.randint(0, 999_999_999):09d}"
            event["cost"] = chance.choice([small, large])
        made.append(event)
    return made


def sums(events):
    """Add events up: what the usage must say."""
    counts = dict.fromkeys([*MESSAGES, "SMS", "CALL"], 0)
    costs = {"SMS": Decimal(0), "CALL": Decimal(0)}
    for event in events:
        counts[event["channel"]] += event.get("quantity", 1)
        if "cost" in event:
            costs[event["channel"]] += Decimal(str(event["cost"]))
    return {
        "messageUsage": sum(counts[channel] for channel in MESSAGES),
        "budgetUsage": costs["SMS"] + costs["CALL"],
        "costSms": costs["SMS"],
        "costCall": costs["CALL"],
        "channelUsages": counts,
        "pendingCosts": sum(event["channel"] in costs and "cost" not in event for event in events),
    }


def served_sums(shop, folder):
    """Ask a server for the usage, without its times."""
    with served_process(shop["url"], folder) as server:
        client = Client(server.url, shop["apiKey"])
        answer = json.loads(client.usage().text, parse_float=Decimal)
        client.close()
    return {name: value for name, value in answer.items() if not name.startswith("billingCycle")}


def lines_of(events, ending="\n"):
    return "".join(json.dumps(event) + ending for event in events)


def rows(url, statement):
    """Ask the database itself."""
    with closing(Store(url)) as store:
        return store.read(lambda: store.execute(statement).fetchall())


def stored_ids(url):
    return {row[0] for row in rows(url, "SELECT event_id FROM events")}
