"""Keys: who shows one is known, until it is revoked or expires."""

from datetime import timedelta

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.keys import token_of
from sendmeter.errors import Fault, Forbidden, InvalidRequest, NotFound, Unauthorized
from sendmeter.services import keys, organizations
from tests.live import NOON
from tests.services.use_cases import log


@pytest.fixture
def organization(store):
    return organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization


def test_a_token_tells_whose_key_it_is_and_what_it_may_do(store, organization):
    made = keys.create(store, organization.number, "gateway", ["events:write"], NOON, by="test")
    found = keys.caller_of(store, made.token, NOON)
    assert found == made.key
    assert found.scopes == ("events:write",)


def test_the_store_never_holds_a_token(store, organization):
    made = keys.create(store, organization.number, "gateway", [], NOON, by="test")
    rows = store.read(lambda: store.execute("SELECT * FROM api_keys").fetchall())
    assert made.token.removeprefix("sendmeter_sk_") not in str(rows)


def test_a_revoked_key_stops_working_and_stays_revoked_since_the_first_time(store, organization):
    made = keys.create(store, organization.number, "gateway", [], NOON, by="test")
    first = keys.revoke(store, made.key.key_id, NOON, by="test")
    again = keys.revoke(store, made.key.key_id, NOON + timedelta(hours=1), by="test")
    assert first.revoked_at == again.revoked_at == NOON
    with pytest.raises(Unauthorized, match="revoked"):
        keys.caller_of(store, made.token, NOON)


def test_a_key_works_until_the_instant_of_its_expiry(store, organization):
    made = keys.create(store, organization.number, "gateway", [], NOON, expires_at=NOON + timedelta(days=1), by="test")
    assert keys.caller_of(store, made.token, NOON + timedelta(days=1, microseconds=-1))
    with pytest.raises(Unauthorized, match="expired"):
        keys.caller_of(store, made.token, NOON + timedelta(days=1))


def test_a_token_of_another_organization_number_is_nobodys(store, organization):
    other = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test")
    secret = bytes(32)
    for number in (other.organization.number, 0, (1 << 64) - 1):
        with pytest.raises(Unauthorized, match="not known"):
            keys.caller_of(store, token_of(number, secret), NOON)


def test_an_operator_finds_the_key_to_revoke_in_whichever_organization_has_it(store, organization):
    other = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
    for each in (organization, other):
        made = keys.create(store, each.number, "gateway", [], NOON, by="test")
        assert keys.revoke(store, made.key.key_id, NOON, by="test").organization_number == each.number


def test_a_key_that_there_is_not_cannot_be_revoked(store, organization):
    with pytest.raises(NotFound, match="no key 'key_nothing'"):
        keys.revoke(store, "key_nothing", NOON, by="test")


def test_keys_are_listed_by_organization_or_all(store, organization):
    other = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
    assert [key.name for key in keys.everyone(store, other.number)] == ["first key"]
    assert len(keys.everyone(store)) == 2


def test_keys_are_listed_page_by_page_oldest_first_and_only_the_organizations_own(store, organization):
    for number in range(5):
        keys.create(store, organization.number, f"key {number}", [], NOON + timedelta(seconds=number + 1), by="test")
    organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test")
    names, cursor = [], None
    while True:
        page = keys.search(store, organization.number, cursor, 2)
        names.append([key.name for key in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    assert names == [["first key", "key 0"], ["key 1", "key 2"], ["key 3", "key 4"]]


def test_a_key_gives_at_most_its_own_scopes_and_nothing_that_would_have_expired(store, organization):
    caller = keys.create(store, organization.number, "boss", ["keys:write", "events:write"], NOON, by="test").key
    made = keys.grant(store, caller, "gateway", ["events:write"], NOON, expires_at=NOON + timedelta(microseconds=1))
    assert (made.key.account_id, made.key.scopes) == (caller.account_id, ("events:write",))
    with pytest.raises(Forbidden, match="lacks operator, holds:write"):
        keys.grant(store, caller, "x", ["operator", "events:write", "holds:write"], NOON)
    with pytest.raises(InvalidRequest) as refusal:
        keys.grant(store, caller, "x", [], NOON, expires_at=NOON)
    assert [fault.pointer for fault in refusal.value.faults] == ["/expiresAt"]
    assert len(keys.everyone(store, organization.number)) == 3


def test_a_key_of_another_organization_cannot_be_revoked(store, organization):
    other = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test").organization
    made = keys.create(store, organization.number, "gateway", [], NOON, by="test")
    with pytest.raises(NotFound):
        keys.revoke(store, made.key.key_id, NOON, by="test", organization_number=other.number)
    assert keys.caller_of(store, made.token, NOON)


def test_a_key_that_expires_makes_none_that_outlives_it(store, organization):
    end = NOON + timedelta(days=1)
    caller = keys.create(store, organization.number, "boss", ["keys:write"], NOON, by="test", expires_at=end).key
    for expires_at in (None, end + timedelta(microseconds=1)):
        with pytest.raises(Forbidden, match=r"outlives it; this key expires at 2026-11-21T12:00:00Z"):
            keys.grant(store, caller, "for ever", ["keys:write"], NOON, expires_at=expires_at)
    assert keys.grant(store, caller, "x", [], NOON, expires_at=end).key.expires_at == end


def test_the_audit_log_tells_what_a_key_may_do_and_until_when(store, organization):
    end = NOON + timedelta(days=1)
    made = keys.create(store, organization.number, "gateway", ["holds:write"], NOON, by="key_1", expires_at=end)
    told = {"keyId": made.key.key_id, "name": "gateway", "scopes": ["holds:write"]}
    expiring = told | {"expiresAt": "2026-11-21T12:00:00Z"}
    assert log(store, organization) == [("key_1", "key.created", expiring)]


def test_a_key_makes_one_for_its_own_account(store, organization):
    store.write(lambda: store.execute("INSERT INTO accounts VALUES (?, 'acc_zzz', 0)", (organization.number,)))
    caller = keys.create(store, organization.number, "boss", [], NOON, by="test", account_id="acc_zzz").key
    assert keys.grant(store, caller, "gateway", [], NOON).key.account_id == "acc_zzz"


@pytest.mark.parametrize("number", [(1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_token_of_a_number_that_no_database_holds_is_nobodys(store, number):
    with pytest.raises(Unauthorized, match="not known"):
        keys.caller_of(store, token_of(number, bytes(32)), NOON)


def test_a_cursor_that_is_none_is_refused_with_what_is_wrong(store, organization):
    with pytest.raises(InvalidRequest) as refusal:
        keys.search(store, organization.number, "nonsense", 2)
    assert refusal.value.faults == (Fault("query:cursor", "is not a cursor of this listing"),)


def test_a_secret_is_not_shown_by_what_holds_it(store, organization):
    made = keys.create(store, organization.number, "gateway", [], NOON, by="test")
    founded = organizations.create(store, "Other", Anchor(1, "UTC"), Caps(), NOON, by="test")
    assert made.token not in repr(made)
    assert founded.token not in repr(founded)
    assert founded.organization.cursor_key.hex() not in repr(founded).lower()
    assert repr(founded.organization.cursor_key) not in repr(founded)
