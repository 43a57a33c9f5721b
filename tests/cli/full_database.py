"""A database with something in every table and every column; what a database has, read without the product."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.domain.providers import Trouble
from sendmeter.domain.receipts import Receipt
from sendmeter.services import corrections, events, holds, keys, organizations, receipts
from sendmeter.services import providers as setup
from sendmeter.services.organizations import Change
from sendmeter.services.vault import Vault, new_key
from sendmeter.store import Store, messages
from sendmeter.store import providers as stored
from sendmeter.store.schema import upgrade
from tests.services.use_cases import fail

HISTORY = "schema_migration"


def fill(url):
    """Fill an empty database, as months of use would; give the token of a key that works."""
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=100)
    with closing(Store(url)) as store:
        upgrade(store)
        caps = Caps(10**6, 123_456_789_000_000_001, {"SMS": 5_000, "EMAIL": 2**53 - 1}, "observe")
        name, anchor, starts_at = "Zoë & 'Söhne' 🐦", Anchor(31, "Asia/Kathmandu"), now - timedelta(days=900)
        founded = organizations.create(store, name, anchor, caps, long_ago, by="test", starts_at=starts_at)
        number, organization_id = founded.organization.number, founded.organization.organization_id
        # So that no test crosses the end of the running cycle.
        mid_cycle = Change(anchor_day=min((now - timedelta(days=14)).day, 28))
        organizations.change(store, organization_id, mid_cycle, long_ago, by="test")
        _record(store, number, now)
        _hold(store, number, now)
        organizations.change(store, organization_id, Change(time_zone="Europe/Berlin"), now, by="test")
        short = keys.create(store, number, "short", ["events:read"], now, by="test", expires_at=now + timedelta(days=1))
        keys.revoke(store, short.key.key_id, now, by="test")
        fail(store, number, "telnyx", '10009 \\ "quota"', now)
        _tell(store, number, now)
        organizations.create(store, "Empty", Anchor(1, "UTC"), Caps(), now, by="test")
        return founded.token


def _tell(store, number, now):
    """Set providers up, one of which has told and was asked."""
    given = {"publicKey": "A" * 43 + "=", "apiKey": "key", "records": True}
    setup.add(store, Vault(new_key()), number, "telnyx", given, now, by="test")
    receipts.take(store, number, "telnyx", Receipt("m-0", "SMS", now, 5), now, records=False)
    waiting = ("telnyx", "m-1")
    connection = setup.search(store, number)[0].connection

    def work():
        messages.asked(store, number, waiting, now)
        stored.received(store, number, "telnyx", now)
        stored.lease(store, connection, "worker", now, now)
        stored.answered(store, connection, "worker", now)
        stored.failed(store, number, "telnyx", Trouble("10009", 'It \\ "fails".', now), now, worker="worker")

    store.write(work)


def _record(store, number, now):
    plain = UsageEvent("crm", "plain", "EMAIL", 7, None, "ses", None, now - timedelta(hours=1), {})
    sms = replace(plain, channel="SMS", provider="telnyx", provider_message_id="m-1")
    batch = [
        plain,
        replace(plain, event_id="with-metadata", metadata={"tag": 'a "b" \\ é 🐦', "empty": ""}),
        replace(sms, event_id="costed", cost_nano_usd=8_999_999_999_000_000_001, metadata={"country": "NP"}),
        replace(sms, event_id="free", cost_nano_usd=0),
        replace(sms, event_id="pending"),
        replace(sms, event_id="told-later", channel="CALL"),
        replace(plain, event_id="voided", occurred_at=now - timedelta(days=2)),
        replace(plain, event_id="late", occurred_at=now - timedelta(days=200)),
    ]
    events.record(store, number, [("", event) for event in batch], now)
    old = [replace(plain, event_id=f"old-{days}", occurred_at=now - timedelta(days=days)) for days in range(0, 600, 5)]
    old.append(replace(sms, event_id="old-costed", cost_nano_usd=11, occurred_at=now - timedelta(days=300)))
    events.record(store, number, [("", event) for event in old], now, backfilled_by="test")
    many = [replace(plain, event_id=f"m-{index:05}", source="bulk") for index in range(2_345)]
    for start in range(0, len(many), 1_000):
        events.record(store, number, [("", event) for event in many[start : start + 1_000]], now)
    corrections.settle(store, number, ("crm", "told-later"), 5, None, now, by="test")
    corrections.settle(store, number, ("crm", "costed"), 1, "a credit note", now, by="test")
    for event_id, reason in (
        ("costed", "never sent"),
        ("voided", "twice"),
        ("old-400", "too late"),
        ("old-costed", "a credit"),
    ):
        corrections.void(store, number, ("crm", event_id), reason, now, by="test")


def _hold(store, number, now):
    for hold_id in ("standing", "settled", "costed", "released"):
        holds.place(store, number, Asked(hold_id, "SMS", 3, 30_000_001, 900), lambda: now)
    holds.place(store, number, Asked("without-cost", "PUSH", 1, None, 1), lambda: now)
    for hold_id in ("settled", "costed"):
        holds.settle(store, number, hold_id, {"provider": "telnyx"}, lambda: now)
    corrections.settle(store, number, ("api", "costed"), 7, None, now, by="test")
    holds.release(store, number, "released", lambda: now)


def content(url):
    """Read all tables with the driver alone: their rows by name."""
    if url.startswith("sqlite:"):
        statement = "SELECT name FROM sqlite_master WHERE type = 'table'"
        database = sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)
    else:
        statement = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        database = psycopg.connect(url)
    with closing(database):
        names = {row[0] for row in database.execute(statement).fetchall()} - {HISTORY}
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def is_empty(url):
    """Return whether no table has a row, or there is none."""
    return not any(content(url).values())
