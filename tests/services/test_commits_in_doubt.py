"""Where the connection is lost after the commit and before the answer, what was done is done once, and said so."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.errors import Conflict
from sendmeter.services import audit, corrections, holds, keys, limits, organizations, providers
from sendmeter.services.organizations import Change
from sendmeter.services.vault import Vault, new_key
from sendmeter.store import Store
from tests.live import NOON
from tests.services.lost_connections import severed
from tests.services.use_cases import ON_THE_FIRST, USD, check, entry, founded, place, read, record, rows


@pytest.fixture
def doubt(postgres_url):
    """Return a wire that can be severed, and a store behind it."""
    with severed(postgres_url) as (wire, url), closing(Store(url)) as store:
        yield wire, store
        assert (wire.armed, wire.severed) == (0, 1)


def done_once(wire, call):
    wire.armed = 1
    return call()


def test_a_batch_is_recorded_once(doubt):
    wire, store = doubt
    organization = founded(store)
    done_once(wire, lambda: record(store, organization, "a", {"id": "b", "channel": "SMS"}))
    assert (read(store, organization).messages, read(store, organization).pending) == (1, 1)
    check(store, organization)


def test_a_backfill_is_recorded_and_told_once(doubt):
    wire, store = doubt
    organization = founded(store, starts_at=datetime(2024, 1, 1, tzinfo=UTC))
    old = {"id": "a", "channel": "SMS", "occurredAt": "2024-02-29T12:00:00Z"}
    done_once(wire, lambda: record(store, organization, old, backfilled_by="cli:ann"))
    assert [each.by for each in audit.newest(store, organization.number, 9)].count("cli:ann") == 1
    check(store, organization)


def test_a_void_is_no_conflict_with_itself_and_with_another_it_is(doubt):
    wire, store = doubt
    organization = founded(store)
    record(store, organization, "a")
    arguments = (store, organization.number, ("api", "a"), "never sent", NOON)
    taken = done_once(wire, lambda: corrections.void(*arguments, by="key_1"))
    assert taken == entry(store, organization, "a")
    assert len(taken.corrections) == 1
    with pytest.raises(Conflict):
        corrections.void(*arguments, by="key_1")
    assert read(store, organization).messages == 0
    check(store, organization)


def test_a_cost_is_settled_once(doubt):
    wire, store = doubt
    organization = founded(store)
    record(store, organization, {"id": "a", "channel": "SMS"})
    key = ("api", "a")
    done_once(wire, lambda: corrections.settle(store, organization.number, key, USD, "bill", NOON, by="key_1"))
    assert len(entry(store, organization, "a").corrections) == 1
    assert read(store, organization).cost_nano_usd == USD
    check(store, organization)


def test_a_hold_is_placed_once_though_there_is_no_room_for_a_second(doubt):
    wire, store = doubt
    organization = founded(store, messages=1)
    hold, _ = done_once(wire, lambda: place(store, organization, "h"))
    assert holds.get(store, organization.number, "h") == hold


@pytest.mark.parametrize("ends", ["settle", "release"])
def test_a_hold_is_ended_once(doubt, ends):
    wire, store = doubt
    organization = founded(store, messages=1)
    place(store, organization, "h")
    if ends == "settle":
        ended = done_once(wire, lambda: holds.settle(store, organization.number, "h", {}, lambda: NOON))
    else:
        ended = done_once(wire, lambda: holds.release(store, organization.number, "h", lambda: NOON))
    assert holds.get(store, organization.number, "h") == ended
    assert read(store, organization).messages == (ends == "settle")
    check(store, organization)


def test_caps_and_anchors_are_changed_and_told_once(doubt):
    wire, store = doubt
    organization = founded(store)
    wanted = Change(anchor_day=20, caps=Caps(messages=1))
    change = (store, organization.organization_id, wanted, NOON)
    changed = done_once(wire, lambda: organizations.change(*change, by="key_1"))
    assert organizations.get(store, organization.organization_id) == changed
    assert [each.by for each in audit.newest(store, organization.number, 9)].count("key_1") == 2
    limits.change(store, organization.number, lambda caps: caps, NOON, by="key_1")
    assert [each.by for each in audit.newest(store, organization.number, 9)].count("key_1") == 2


def test_a_key_is_made_once_and_works(doubt):
    wire, store = doubt
    organization = founded(store)
    made = done_once(wire, lambda: keys.create(store, organization.number, "gateway", [], NOON, by="key_1"))
    assert keys.caller_of(store, made.token, NOON) == made.key
    assert len(keys.everyone(store, organization.number)) == 2
    assert len(rows(store, "audit_log", organization)) == 3


def test_a_key_is_revoked_since_the_first_time(doubt):
    wire, store = doubt
    organization = founded(store)
    made = keys.create(store, organization.number, "gateway", [], NOON, by="key_1")
    later = NOON + timedelta(hours=1)
    assert done_once(wire, lambda: keys.revoke(store, made.key.key_id, later, by="key_1")).revoked_at == later
    assert len(rows(store, "audit_log", organization)) == 4


def test_an_organization_is_made_once_and_its_key_works(doubt):
    wire, store = doubt
    made = done_once(wire, lambda: organizations.create(store, "Test", ON_THE_FIRST, Caps(), NOON, by="test"))
    assert organizations.everyone(store) == [made.organization]
    assert keys.caller_of(store, made.token, NOON).account_id == made.account_id
    assert len(keys.everyone(store)) == 1
    assert len(rows(store, "audit_log", made.organization)) == 2


def test_a_provider_is_set_up_and_removed_and_told_once(doubt):
    wire, store = doubt
    organization = founded(store)
    vault, given = Vault(new_key()), {"accountSid": f"AC{1:032x}", "authToken": "token"}
    adding = (store, vault, organization.number, "twilio", given, NOON)
    status, is_new = done_once(wire, lambda: providers.add(*adding, by="key_1"))
    assert is_new
    assert providers.search(store, organization.number) == [status]
    wire.severed = 0
    done_once(wire, lambda: providers.remove(store, organization.number, "twilio", NOON, by="key_1"))
    assert providers.search(store, organization.number) == []
    told = [each.action for each in audit.newest(store, organization.number, 9) if each.by == "key_1"]
    assert told == ["provider.removed", "provider.added"]
