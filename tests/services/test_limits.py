"""Limits: caps count at once, and the audit log tells who changed what, when, and nothing that was not changed."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.errors import NotFound, UsageLimitExceeded
from sendmeter.services import audit, holds, keys, limits
from sendmeter.services.organizations import Change
from sendmeter.services.organizations import change as change_organization
from sendmeter.store import Store
from tests.live import NOON
from tests.services.use_cases import ask, founded, log, place, record


def change(store, organization, caps, now=NOON, by="key_1"):
    return limits.change(store, organization.number, lambda _: caps, now, by=by)


def test_caps_stand_with_what_is_used_and_held_in_the_running_cycle(store):
    organization = founded(store, messages=9, budget_nano_usd=5, channels={"SMS": 4}, enforcement="observe")
    record(store, organization, "a", {"id": "b", "channel": "SMS", "quantity": 3, "cost": "0.000000002"})
    place(store, organization, "h", "EMAIL", 2)
    place(store, organization, "s", "SMS", 1, 1)
    found = limits.get(store, organization.number, NOON)
    assert [(each.cap, each.used, each.held) for each in found.standings] == [
        ("messageCap", 1, 2),
        ("budgetCap", 2, 1),
        ("SMS", 3, 1),
    ]
    assert found.to_json()["billingCycleStart"] == "2026-11-01T00:00:00Z"
    december = limits.get(store, organization.number, NOON + timedelta(days=11))
    assert [each.used for each in december.standings] == [0, 0, 0]
    with pytest.raises(NotFound):
        limits.get(store, 1, NOON)


class Interrupted(Store):
    """A store in which something happens just before what is held is read."""

    def execute(self, statement, parameters=()):
        if "SUM(quantity)" in statement:
            self.meanwhile()
        return super().execute(statement, parameters)


def test_a_hold_that_is_settled_while_the_standings_are_read_is_counted_once(store):
    organization = founded(store, messages=5)
    place(store, organization, "h", "EMAIL", 3)
    with closing(Interrupted(store.url)) as interrupted:
        interrupted.meanwhile = lambda: holds.settle(store, organization.number, "h", {}, lambda: NOON)
        (standing,) = limits.get(interrupted, organization.number, NOON).standings
        assert standing.remaining == 2


def test_new_caps_count_at_once_in_both_directions(store):
    organization = founded(store, messages=1)
    place(store, organization, "a")
    with pytest.raises(UsageLimitExceeded):
        place(store, organization, "b")
    changed = change(store, organization, Caps(messages=2))
    assert [(each.limit, each.held) for each in changed.standings] == [(2, 1)]
    place(store, organization, "b")
    change(store, organization, Caps(messages=0))
    with pytest.raises(UsageLimitExceeded, match="The message cap of 0 has no room for 1 more, with 0 used and 2 held"):
        holds.place(store, organization.number, ask("c"), lambda: NOON)
    change(store, organization, Caps())
    place(store, organization, "c")


def test_the_audit_log_tells_who_changed_the_caps_and_what_they_were_before(store):
    organization = founded(store, messages=1)
    change(store, organization, Caps(messages=2, channels={"SMS": 0}, enforcement="lock"), by="key_2")
    before, after = {"messageCap": 1, "enforcement": "block"}, {"messageCap": 2, "channelCaps": {"SMS": 0}}
    assert log(store, organization) == [
        ("key_2", "limits.changed", {"before": before, "after": {**after, "enforcement": "lock"}})
    ]


def test_where_nothing_changes_the_audit_log_tells_nothing(store):
    organization = founded(store, messages=1, channels={"SMS": 3, "CALL": 4})
    same = Caps(messages=1, channels={"CALL": 4, "SMS": 3})
    change(store, organization, same)
    change_organization(store, organization.organization_id, Change(name="Test", caps=same), NOON, by="key_1")
    change_organization(store, organization.organization_id, Change(anchor_day=1, time_zone="UTC"), NOON, by="key_1")
    assert log(store, organization) == []


def test_a_change_of_caps_takes_the_caps_as_they_are(store):
    """Changes are made of what is stored, not of what was read before."""
    organization = founded(store, messages=1)
    for _ in range(3):
        limits.change(
            store, organization.number, lambda caps: replace(caps, messages=caps.messages + 1), NOON, by="key_1"
        )
    assert limits.get(store, organization.number, NOON).caps == Caps(messages=4)


def test_the_audit_log_tells_of_organizations_and_keys_newest_first_and_never_a_secret(store):
    organization = founded(store)
    later = NOON + timedelta(seconds=1)
    made = keys.create(store, organization.number, "gateway", ["events:write"], later, by="cli:ann")
    for seconds in (2, 3):
        keys.revoke(store, made.key.key_id, NOON + timedelta(seconds=seconds), by="cli:bob")
    entries = audit.newest(store, organization.number, 100)
    told = {"keyId": made.key.key_id, "name": "gateway", "scopes": ["events:write"]}
    assert [(each.by, each.action, each.details) for each in entries[:2]] == [
        ("cli:bob", "key.revoked", told),
        ("cli:ann", "key.created", told),
    ]
    assert {each.action for each in entries[2:]} == {"organization.created", "key.created"}
    assert entries[0].to_json()["recordedAt"] == "2026-11-20T12:00:02Z"
    assert audit.newest(store, organization.number, 1) == entries[:1]
    assert made.token not in str(entries)
    assert organization.cursor_key.hex() not in str(entries)
    assert log(store, founded(store)) == [], "two organizations share a log"
