"""`providers.…` over real HTTP: signed deliveries, set-up, and what another organization gets of either."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twilio.request_validator import RequestValidator

from sendmeter.services.verify import differences
from tests.live import NOON, live_server

TELNYX = Ed25519PrivateKey.generate()
TELNYX_SETUP = {
    "provider": "telnyx",
    "publicKey": base64.b64encode(TELNYX.public_key().public_bytes_raw()).decode(),
}
TWILIO_SETUP = {"provider": "twilio", "accountSid": f"AC{1:032x}", "authToken": "s3cret-token"}
PROVIDERS = "/organization/providers"
MESSAGE = "40385f64-5717-4562-b3fc-2c963f66afa6"
SMS = {"id": "s", "channel": "SMS", "provider": "telnyx", "providerMessageId": MESSAGE}


def message(cost="0.0051", *, message_id=MESSAGE, at=NOON, kind="message.finalized"):
    payload = {
        "record_type": "message",
        "id": message_id,
        "direction": "outbound",
        "type": "SMS",
        "to": [{"phone_number": "+18665550001", "status": "delivered"}],
        "cost": None if cost is None else {"amount": cost, "currency": "USD"},
        "sent_at": NOON.isoformat(),
    }
    data = {"record_type": "event", "id": "e", "event_type": kind, "occurred_at": at.isoformat(), "payload": payload}
    return json.dumps({"data": data, "meta": {"attempt": 1}}).encode()


def set_up(client, given, expected=201):
    answer = client.request("POST", PROVIDERS, json=given)
    assert answer.status_code == expected, answer.text
    return answer.json()


def deliver(server, endpoint_id, body, *, key=TELNYX, at=None, provider="telnyx"):
    timestamp = str(int((at or server.clock()).timestamp()))
    signature = base64.b64encode(key.sign(timestamp.encode() + b"|" + body)).decode()
    headers = {
        "content-type": "application/json",
        "telnyx-timestamp": timestamp,
        "telnyx-signature-ed25519": signature,
    }
    path = f"{PROVIDERS}/{provider}/events/{endpoint_id}"
    return server.client().request("POST", path, content=body, headers=headers)


def spent(client):
    return client.usage("?costs=known").json()["costSms"]


def test_a_signed_delivery_does_not_settle_the_event_that_was_recorded(server):
    organization, client = server.organization()
    made = set_up(client, TELNYX_SETUP)
    client.record(SMS)
    answer = deliver(server, made["endpointId"], message())
    assert (answer.status_code, answer.json()) == (200, {"outcome": "settled"})
    assert deliver(server, made["endpointId"], message()).json() == {"outcome": "known"}
    assert (spent(client), client.usage().json()["pendingCosts"]) == (0.0051, 0)
    event = client.request("GET", "/organization/usage/events/s").json()
    assert event["corrections"][0]["recordedBy"] == "provider:telnyx"
    assert differences(server.store, organization) == []


def test_a_delivery_that_is_not_signed_as_it_must_be_is_taken(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    client.record(SMS)
    forged = deliver(sqlite_server, endpoint, message("0.0001"), key=Ed25519PrivateKey.generate())
    old = deliver(sqlite_server, endpoint, message(), at=NOON - timedelta(minutes=5, seconds=1))
    path = f"{PROVIDERS}/telnyx/events/{endpoint}"
    bare = sqlite_server.client().request("POST", path, content=message(), headers={"content-type": "application/json"})
    # A key of the organization proves nothing here.
    with_key = client.request("POST", path, content=message(), headers={"content-type": "application/json"})
    assert [each.status_code for each in (forged, old, bare, with_key)] == [401] * 4
    assert client.usage().json()["pendingCosts"] == 1


def test_an_endpoint_that_is_not_there_is_told_from_one_of_another_provider(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    for provider, endpoint_id in (
        ("twilio", endpoint),
        ("telnyx", "ep_" + "0" * 39),
        ("telnyx", endpoint[:-2] + ("00" if endpoint[-2] != "0" else "10")),
    ):
        assert deliver(sqlite_server, endpoint_id, message(), provider=provider).status_code == 404


def test_one_organizations_endpoint_settles_anothers_event(sqlite_server):
    _, mine = sqlite_server.organization()
    _, other = sqlite_server.organization()
    mine.record(SMS)
    other.record(SMS)
    set_up(mine, TELNYX_SETUP)
    endpoint = set_up(other, TELNYX_SETUP)["endpointId"]
    assert deliver(sqlite_server, endpoint, message()).json()["outcome"] == "settled"
    assert (spent(mine), spent(other)) == (0, 0.0051)
    assert [each["pendingCosts"] for each in mine.request("GET", PROVIDERS).json()["items"]] == [1]


def test_setting_up_again_changes_the_url_or_keeps_the_old_key(sqlite_server):
    _, client = sqlite_server.organization()
    first = set_up(client, TELNYX_SETUP)
    another = Ed25519PrivateKey.generate()
    public_key = base64.b64encode(another.public_key().public_bytes_raw()).decode()
    again = set_up(client, {**TELNYX_SETUP, "publicKey": public_key}, expected=200)
    assert again["endpointUrl"] == first["endpointUrl"]
    assert deliver(sqlite_server, first["endpointId"], message()).status_code == 401
    assert deliver(sqlite_server, first["endpointId"], message(), key=another).status_code == 200


def test_a_secret_is_answered_logged_or_audited(sqlite_server, caplog):
    _, client = sqlite_server.organization()
    with caplog.at_level("DEBUG"):
        answers = [client.request("POST", PROVIDERS, json=TWILIO_SETUP), client.request("GET", PROVIDERS)]
        answers.append(client.request("POST", PROVIDERS, json={**TWILIO_SETUP, "accountSid": "SK1"}))
        answers.append(client.request("POST", PROVIDERS, json={**TWILIO_SETUP, "authToken": "s3cret-token " * 50}))
    assert [answer.status_code for answer in answers] == [201, 200, 400, 400]
    assert "s3cret-token" not in "".join(answer.text for answer in answers) + caplog.text


def test_a_provider_that_was_removed_still_reports(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    assert client.request("DELETE", f"{PROVIDERS}/telnyx").status_code == 204
    assert client.request("DELETE", f"{PROVIDERS}/telnyx").status_code == 404
    assert deliver(sqlite_server, endpoint, message()).status_code == 404
    assert set_up(client, TELNYX_SETUP)["endpointId"] != endpoint


def test_a_callback_of_twilio_is_verified_for_another_url_than_the_public_one(sqlite_store, clock):
    with live_server(sqlite_store, clock, public_url="https://usage.example.com") as server:
        _, client = server.organization()
        url = set_up(client, {**TWILIO_SETUP, "records": True})["endpointUrl"]
        assert url.startswith("https://usage.example.com/organization/providers/twilio/events/ep_")
        form = {"MessageSid": f"SM{1:032x}", "MessageStatus": "delivered", "AccountSid": TWILIO_SETUP["accountSid"]}
        path = url.removeprefix("https://usage.example.com")
        outcomes = []
        for signed in (url, url.replace("https", "http"), url):
            headers = {"x-twilio-signature": RequestValidator("s3cret-token").compute_signature(signed, form)}
            answer = server.client().request("POST", path, data=form, headers=headers)
            outcomes.append(answer.json().get("outcome", answer.status_code))
        assert outcomes == ["recorded", 401, "known"]
        assert client.usage().json()["channelUsages"]["SMS"] == 1
        assert client.usage().json()["pendingCosts"] == 1


@pytest.mark.parametrize("records", [False, True])
def test_reports_and_events_that_come_at_once_are_counted_twice_or_lost(server, records):
    organization, client = server.organization()
    endpoint = set_up(client, {**TELNYX_SETUP, "records": records})["endpointId"]
    ids = [f"00000000-0000-4000-8000-{number:012x}" for number in range(8)]

    def report(message_id):
        body = message("0.001", message_id=message_id)
        return [deliver(server, endpoint, body).status_code for _ in range(2)]

    def send(message_id):
        if records:
            return [200]
        event = {**SMS, "id": message_id, "providerMessageId": message_id}
        return [server.client(client.token).record(event).status_code for _ in range(2)]

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(each, message_id) for message_id in ids for each in (report, send)]
        assert {status for each in waiting for status in each.result()} == {200}
    usage = client.usage().json()
    assert (usage["channelUsages"]["SMS"], usage["costSms"], usage["pendingCosts"]) == (8, 0.008, 0)
    assert differences(server.store, organization) == []


@pytest.mark.parametrize(("records", "counted"), [(False, 0), (True, 1)])
def test_a_message_whose_cost_cannot_be_counted_is_not_recorded(sqlite_server, records, counted):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, {**TELNYX_SETUP, "records": records})["endpointId"]
    answer = deliver(sqlite_server, endpoint, message().replace(b'"USD"', b'"EUR"'))
    assert answer.json() == {"outcome": "recorded" if records else "ignored"}
    usage = client.usage().json()
    assert (usage["channelUsages"]["SMS"], usage["pendingCosts"]) == (counted, counted)


def test_an_hour_beyond_all_clocks_is_a_failure_of_the_server(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    body, timestamp = message(), "999999999999"
    signature = base64.b64encode(TELNYX.sign(timestamp.encode() + b"|" + body)).decode()
    headers = {
        "content-type": "application/json", "telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature,
    }  # fmt: skip
    path = f"{PROVIDERS}/telnyx/events/{endpoint}"
    assert sqlite_server.client().request("POST", path, content=body, headers=headers).status_code == 401


def test_when_a_provider_last_reported_is_not_told(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    told = []
    for seconds in (0, 59, 2):
        sqlite_server.clock.advance(seconds=seconds)
        assert deliver(sqlite_server, endpoint, message()).status_code == 200
        told.append(client.request("GET", PROVIDERS).json()["items"][0]["lastReceiptAt"][11:19])
    assert told == ["12:00:00", "12:00:00", "12:01:01"]


def test_the_same_setup_again_changes_something(sqlite_server):
    _, client = sqlite_server.organization()
    first = set_up(client, TELNYX_SETUP)
    assert set_up(client, TELNYX_SETUP, expected=200) == first


def test_the_largest_cost_that_is_taken_cannot_be_answered(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    client.record(SMS)
    assert deliver(sqlite_server, endpoint, message("1000000")).json() == {"outcome": "ignored"}
    assert deliver(sqlite_server, endpoint, message("999999.999999999")).json() == {"outcome": "settled"}
    assert client.request("GET", "/organization/usage/events/s").status_code == 200


def test_a_lost_key_of_secrets_keeps_reports_out_that_need_none(sqlite_store, clock):
    with live_server(sqlite_store, clock) as server:
        _, client = server.organization()
        endpoint = set_up(client, {**TELNYX_SETUP, "apiKey": "key"})["endpointId"]
        client.record(SMS)
    with live_server(sqlite_store, clock, secrets_key="") as server:
        assert deliver(server, endpoint, message()).json() == {"outcome": "settled"}


def test_a_cost_in_euros_is_counted_as_dollars(sqlite_server):
    _, client = sqlite_server.organization()
    endpoint = set_up(client, TELNYX_SETUP)["endpointId"]
    client.record(SMS)
    body = message().replace(b'"USD"', b'"EUR"')
    assert deliver(sqlite_server, endpoint, body).json() == {"outcome": "ignored"}
    (status,) = client.request("GET", PROVIDERS).json()["items"]
    assert (status["pendingCosts"], status["state"], status["lastTrouble"]["code"]) == (1, "ok", "unsupported_currency")
    assert status["oldestPendingCost"] == "2026-11-20T12:00:00Z"
