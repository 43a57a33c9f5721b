"""Every use case that writes, done for an organization that has something of everything; each can be done again."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.domain.receipts import Receipt
from sendmeter.errors import Conflict
from sendmeter.services import corrections, events, holds, keys, limits, organizations, receipts
from sendmeter.services.organizations import Change
from sendmeter.store import Store
from sendmeter.store.copying import TABLES
from tests.live import NOON

LATER = NOON + timedelta(days=40)
"""In a cycle of which nothing is written yet; the one before is closed."""
# What is made anew each time.
RANDOM = {
    "organization_id", "public_id", "account_id", "key_hash", "key_id", "cursor_key", "correction_id", "entry_id",
    "details",
}  # fmt: skip


def noon():
    return NOON


def sms(event_id, **other):
    return UsageEvent.from_json({"id": event_id, "channel": "SMS", "provider": "twilio", **other})


def told(message_id, cost):
    return Receipt(message_id, "SMS", NOON, cost)


def prepared(store):
    """Make an organization with events, holds and messages; give its number."""
    caps = Caps(10**6, 10**15, {"SMS": 5_000})
    number = organizations.create(store, "Cut", Anchor(1, "UTC"), caps, NOON, by="test").organization.number
    batch = [
        sms("pending", providerMessageId="m-1"),
        sms("again", providerMessageId="m-1"),
        sms("told", providerMessageId="m-2"),
        sms("costed", cost="0.5"),
    ]
    events.record(store, number, [("", event) for event in batch], NOON)
    for hold_id in ("settled", "released", "both"):
        holds.place(store, number, Asked(hold_id, "SMS", 3, 30, 86_400), noon)
    receipts.take(store, number, "twilio", told("m-3", 7), NOON, records=False)
    return number


def record(store, number, *, now=NOON, **options):
    batch = [sms("new-1"), sms("new-2", cost="1"), sms("new-3", providerMessageId="m-3"), sms("new-2", cost="1")]
    events.record(store, number, [("", each) for each in batch], now, **options)


def record_late(store, number):
    old = sms("old", occurredAt=(NOON + timedelta(hours=1)).isoformat())
    events.record(store, number, [("", old), ("", sms("new-1"))], LATER)


def record_together(store, number):
    batches = [[("", sms(f"from-{sender}")), ("", sms("from-all"))] for sender in range(3)]
    events.record_together(store, [(number, batch) for batch in batches], NOON)


def place_together(store, number):
    asked = Asked("new", "SMS", 3, 30, 900)
    holds.place_together(store, [(number, asked), (number, replace(asked, hold_id="other")), (number, asked)], noon)


def settle_and_release_together(store, number):
    store.together(
        [
            partial(holds.settle, store, number, "settled", {}, noon),
            partial(holds.release, store, number, "released", noon),
            partial(holds.settle, store, number, "both", {"eventId": "both-sent", "cost": "0.1"}, NOON),
        ]
    )


def void(event_id, store, number):
    # Done before, it is refused and changes nothing.
    with suppress(Conflict):
        corrections.void(store, number, ("api", event_id), "a mistake", NOON, by="test")


def set_limits(store, number):
    limits.change(store, number, lambda caps: replace(caps, messages=5), NOON, by="test")


def change(store, number):
    found = next(each for each in organizations.everyone(store) if each.number == number)
    organizations.change(store, found.organization_id, Change(name="Other", anchor_day=15), NOON, by="test")


def revoke(store, number):
    keys.revoke(store, keys.everyone(store, number)[0].key_id, NOON, by="test", organization_number=number)


CASES = {
    "record": record,
    "record in a new cycle": partial(record, now=LATER),
    "record late": record_late,
    "record what was sent before": partial(record, backfilled_by="test"),
    "record together": record_together,
    "set a cost": lambda store, number: corrections.settle(store, number, ("api", "pending"), 5, None, NOON, by="test"),
    "void": partial(void, "costed"),
    "void what had the cost of a message": partial(void, "pending"),
    "take a receipt": lambda store, number: receipts.take(store, number, "twilio", told("m-2", 9), NOON, records=False),
    "record by a receipt": lambda store, number: receipts.take(
        store, number, "twilio", replace(told("m-4", 9), was_sent=True), NOON, records=True
    ),
    "place together": place_together,
    "settle": lambda store, number: holds.settle(store, number, "settled", {"cost": "0.25"}, noon),
    "settle without a cost": lambda store, number: holds.settle(store, number, "settled", {"quantity": 2}, noon),
    "release": lambda store, number: holds.release(store, number, "released", noon),
    "settle and release together": settle_and_release_together,
    "set limits": set_limits,
    "change the organization": change,
    "revoke a key": revoke,
}


def run(url, name, number):
    """Do a case in a process of its own."""
    CASES[name](Store(url), number)


def content(store, number):
    """Read all that a database has of an organization, without what is made anew each time."""
    return store.snapshot(lambda: {table: _rows(store, table, number) for table in TABLES})


def _rows(store, table, number):
    cursor = store.execute(f"SELECT * FROM {table} WHERE organization_id = ?", [number])
    names = [column[0] for column in cursor.description]
    rows = [{name: value for name, value in zip(names, row, strict=True) if name not in RANDOM} for row in cursor]
    return sorted(rows, key=repr)
