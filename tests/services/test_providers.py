"""Providers: who set one up or removed it is told, and secrets move to another key without being lost."""

import base64
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from sendmeter.domain.providers import Health, Trouble
from sendmeter.errors import NotFound, Unavailable
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import providers
from sendmeter.services.providers import Status
from sendmeter.services.vault import Vault, new_key
from tests.integrations.signed_deliveries import SES_ACCOUNT, Amazon, ses_event, sns
from tests.integrations.standin import StandIn
from tests.live import NOON
from tests.services.use_cases import founded, log, record

TWILIO = {"accountSid": f"AC{1:032x}", "authToken": "s3cret-token"}
ONE, OTHER = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture
def standin():
    with StandIn() as made:
        yield made


def add(store, organization, vault, provider="twilio", given=TWILIO):
    return providers.add(store, vault, organization.number, provider, given, NOON, by="key_1")


def test_the_audit_log_tells_who_removed_a_provider_and_that_it_can_be_done_once(sqlite_store):
    organization = founded(sqlite_store)
    status, _ = add(sqlite_store, organization, Vault(new_key()), given=TWILIO | {"provider": "twilio"})
    assert status.connection.settings == {"accountSid": TWILIO["accountSid"]}
    providers.remove(sqlite_store, organization.number, "twilio", NOON, by="key_2")
    told = {"provider": "twilio", "records": False, "accountSid": TWILIO["accountSid"]}
    assert log(sqlite_store, organization)[0] == ("key_2", "provider.removed", told)
    assert log(sqlite_store, organization)[1][1:] == ("provider.added", told | {"secrets": ["authToken"]})
    assert providers.search(sqlite_store, organization.number) == []
    with pytest.raises(NotFound, match="twilio is not set up"):
        providers.remove(sqlite_store, organization.number, "twilio", NOON, by="key_2")
    assert len(log(sqlite_store, organization)) == 2


def test_a_provider_says_each_thing_under_its_own_name(sqlite_store):
    organization = founded(sqlite_store)
    status, _ = add(sqlite_store, organization, Vault(new_key()))
    told = {
        "provider": "twilio",
        "endpointId": status.connection.endpoint_id,
        "endpointUrl": "https://meter.test/x",
        "accountSid": TWILIO["accountSid"],
        "records": False,
        "asksForPrices": True,
        "pendingCosts": 0,
        "createdAt": "2026-11-20T12:00:00Z",
    }
    assert status.to_json("https://meter.test/x") == told | {"state": "ok"}
    trouble = Trouble("20003", "It fails.", NOON + timedelta(seconds=1))
    instants = [NOON + timedelta(seconds=number) for number in range(2, 7)]
    health = Health(NOON, instants[0], 1, trouble, instants[1], instants[2])
    failing = Status(replace(status.connection, health=health), 7, instants[3], instants[4])
    assert failing.to_json("https://meter.test/x") == told | {
        "state": "failing",
        "pendingCosts": 7,
        "failingSince": "2026-11-20T12:00:02Z",
        "lastAnswerAt": "2026-11-20T12:00:03Z",
        "lastReceiptAt": "2026-11-20T12:00:04Z",
        "oldestPendingCost": "2026-11-20T12:00:05Z",
        "nextQuestionAt": "2026-11-20T12:00:06Z",
        "lastTrouble": {"code": "20003", "message": "It fails.", "at": "2026-11-20T12:00:01Z"},
    }


@pytest.mark.parametrize(
    ("provider", "given", "records"),
    [
        ("twilio", TWILIO, False),
        ("twilio", TWILIO | {"records": False}, False),
        ("twilio", TWILIO | {"records": True}, True),
        ("ses", SES_ACCOUNT, True),
    ],
)
def test_what_a_provider_tells_is_recorded_where_that_is_asked_for_or_nobody_else_can(
    provider, given, records, sqlite_store
):
    status, _ = add(sqlite_store, founded(sqlite_store), Vault(new_key()), provider, given)
    assert status.connection.records is records
    assert "records" not in status.connection.settings


def test_the_audit_log_tells_a_change_from_an_addition(sqlite_store):
    organization = founded(sqlite_store)
    for _ in range(2):
        add(sqlite_store, organization, Vault(new_key()))
    assert [told for _, told, _ in log(sqlite_store, organization)] == ["provider.changed", "provider.added"]


def test_secrets_are_encrypted_anew_for_all_organizations_and_the_old_key_can_go(sqlite_store):
    old, new = new_key(), new_key()
    organizations = [founded(sqlite_store) for _ in range(3)]
    for organization in organizations[:2]:
        add(sqlite_store, organization, Vault(old))
    add(sqlite_store, organizations[2], Vault(old), "ses", SES_ACCOUNT)
    assert providers.reseal(sqlite_store, Vault(f"{new},{old}")) == 2
    for organization in organizations[:2]:
        (status,) = providers.search(sqlite_store, organization.number)
        assert Vault(new).unseal(status.connection.sealed_secrets) == {"authToken": TWILIO["authToken"]}
        with pytest.raises(Unavailable, match="cannot be read"):
            Vault(old).unseal(status.connection.sealed_secrets)
    assert providers.search(sqlite_store, organizations[2].number)[0].connection.sealed_secrets is None


def test_a_provider_tells_what_is_pending_with_it_and_when_a_price_is_asked_for_next(sqlite_store):
    organization = founded(sqlite_store)
    vault = Vault(new_key())
    add(sqlite_store, organization, vault)
    sent = {"channel": "SMS", "provider": "twilio"}
    record(sqlite_store, organization, {**sent, "id": "s", "providerMessageId": "SM1"}, {**sent, "id": "t"})
    status, is_new = add(sqlite_store, organization, vault)
    assert not is_new
    assert providers.search(sqlite_store, organization.number) == [status]
    told = status.to_json("https://meter.example/x")
    assert (told["pendingCosts"], told["oldestPendingCost"]) == (2, "2026-11-20T12:00:00Z")
    assert told["nextQuestionAt"] == "2026-11-20T12:00:00Z", "who sets a provider up anew waits for no pause"


def test_who_is_not_asked_for_prices_tells_no_next_question(sqlite_store):
    organization = founded(sqlite_store)
    add(sqlite_store, organization, Vault(""), given={"accountSid": TWILIO["accountSid"]})
    sent = {"id": "s", "channel": "SMS", "provider": "twilio", "providerMessageId": "SM1"}
    record(sqlite_store, organization, sent)
    (status,) = providers.search(sqlite_store, organization.number)
    assert (status.pending, status.asked_at) == (1, None)


def test_a_delivery_whose_signature_cannot_be_looked_up_now_is_answered_so_that_it_comes_again(sqlite_store, standin):
    organization = founded(sqlite_store)
    status, _ = add(sqlite_store, organization, Vault(""), "ses", SES_ACCOUNT)
    delivery = sns(Amazon(standin).notification(ses_event()))
    standin.behave("fail")
    with closing(Outgoing(test_url=standin.url, timeout_seconds=5)) as outgoing:
        arguments = sqlite_store, Vault(""), outgoing, "ses", status.connection.endpoint_id, delivery, NOON
        with pytest.raises(Unavailable, match="What was delivered cannot be verified now"):
            providers.receive(*arguments)


# In base 64 as Python reads it, what is no letter is dropped, and whatever comes after "=".
@pytest.mark.parametrize(
    "secrets_key", ["nonsense", f"{ONE},nonsense", f"{ONE} {OTHER}", f"{ONE}{OTHER}", f"{ONE[:9]}!{ONE[9:]}"]
)
def test_a_setting_that_is_no_key_is_refused_without_being_told(secrets_key):
    with pytest.raises(ValueError, match="SENDMETER_SECRETS_KEY is not a key of Fernet") as refusal:
        Vault(secrets_key)
    assert secrets_key not in str(refusal.value)
