"""Calls of the services as tests make them: what does not matter is left out."""

from datetime import timedelta

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.domain.holds import Asked
from sendmeter.domain.providers import Connection, Health, Trouble
from sendmeter.services import audit, events, holds, organizations, usage
from sendmeter.services.verify import differences
from sendmeter.store import providers
from tests.live import NOON

TICK = timedelta(microseconds=1)
USD = 10**9
ON_THE_FIRST = Anchor(1, "UTC")


def founded(store, *, anchor=ON_THE_FIRST, now=NOON, starts_at=None, **caps):
    made = organizations.create(store, "Test", anchor, Caps(**caps), now, by="test", starts_at=starts_at)
    return made.organization


def record(store, organization, *batch, now=NOON, backfilled_by=None):
    """Record events given as JSON; a text is the id of an e-mail."""
    told = [{"id": each, "channel": "EMAIL"} if isinstance(each, str) else each for each in batch]
    sent = [("", UsageEvent.from_json(each)) for each in told]
    return events.record(store, organization.number, sent, now, backfilled_by=backfilled_by)


def entry(store, organization, event_id, source="api"):
    return events.get(store, organization.number, (source, event_id))


def read(store, organization, now=NOON):
    return usage.get(store, organization.number, now, known_costs=True, grace_seconds=0)


def connect(store, number, provider, now=NOON, *, records=False, polls=True):
    """Set a provider up, of any name, without secrets."""
    health = Health(poll_at=now)
    made = Connection(number, provider, f"ep_{provider}", records, {}, None, polls, now, health)
    store.write(lambda: providers.insert(store, made))
    return made


def fail(store, number, provider, code, since=NOON):
    """Let a provider fail, which is set up for that where it is not."""
    if store.read(lambda: providers.by_provider(store, number, provider)) is None:
        connect(store, number, provider, since)
    trouble = Trouble(code, "It fails.", since)
    store.write(lambda: providers.failed(store, number, provider, trouble, since))


def ask(hold_id, channel="EMAIL", quantity=1, cost=None, ttl_seconds=900):
    return Asked(hold_id, channel, quantity, cost, ttl_seconds)


def place(store, organization, *asked, now=NOON, **more):
    return holds.place(store, organization.number, ask(*asked, **more), lambda: now)


def log(store, organization):
    """Return the audit log as who did what, with the details, without the two entries that every organization has."""
    entries = audit.newest(store, organization.number, 100)
    return [(each.by, each.action, each.details) for each in entries if each.by != "test"]


def rows(store, table, organization, *, order="1, 2, 3"):
    statement = f"SELECT * FROM {table} WHERE organization_id = ? ORDER BY {order}"
    return store.read(lambda: store.execute(statement, (organization.number,)).fetchall())


def check(store, organization):
    """See that everything adds up to the ledger."""
    assert differences(store, organization) == []
