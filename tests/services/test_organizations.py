"""Organizations: made once, found by their id, each with its own start."""

from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.errors import NotFound
from sendmeter.services import keys, organizations
from tests.live import NOON

MINUTE = timedelta(minutes=1)


def test_an_organization_is_read_back_as_it_was_made(store):
    caps = Caps(messages=5, budget_nano_usd=7, channels={"SMS": 3}, enforcement="lock")
    made = organizations.create(store, "Zürich ✓", Anchor(31, "Asia/Kathmandu"), caps, NOON, by="test").organization
    assert organizations.get(store, made.organization_id) == made
    assert organizations.everyone(store) == [made]


def test_an_organization_starts_with_its_running_cycle_unless_told_otherwise(store):
    usual = organizations.create(store, "a", Anchor(15, "America/New_York"), Caps(), NOON, by="test").organization
    assert usual.starts_at == datetime(2026, 11, 15, 5, tzinfo=UTC)
    early = datetime(2026, 1, 1, tzinfo=UTC)
    told = organizations.create(store, "b", Anchor(15, "UTC"), Caps(), NOON, starts_at=early, by="test").organization
    assert told.starts_at == early


def test_the_first_key_has_all_scopes_but_the_operators(store):
    founded = organizations.create(store, "a", Anchor(1, "UTC"), Caps(), NOON, by="test")
    key = keys.caller_of(store, founded.token, NOON)
    assert key.account_id == founded.account_id
    assert "events:write" in key.scopes
    assert "operator" not in key.scopes


def test_many_made_in_the_same_millisecond_are_all_different(store):
    made = [
        organizations.create(store, "a", Anchor(1, "UTC"), Caps(), NOON, by="test").organization for _ in range(100)
    ]
    assert len({each.number for each in made}) == 100


@pytest.mark.parametrize("organization_id", ["", "org_", "org_00000000000000000000000000", "acc_x", "org_ü"])
def test_an_id_that_names_nobody_is_not_found(store, organization_id):
    with pytest.raises(NotFound):
        organizations.get(store, organization_id)


def test_organizations_are_listed_page_by_page_oldest_first_and_each_once(sqlite_store):
    made = [
        organizations.create(sqlite_store, f"{number}", Anchor(1, "UTC"), Caps(), NOON + number * MINUTE, by="test")
        for number in range(5)
    ]
    listed, cursor = [], None
    while True:
        page = organizations.search(sqlite_store, made[2].organization.number, cursor, 2)
        listed.append([each.name for each in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert listed == [["0", "1"], ["2", "3"], ["4"]]
