"""Bad input: each fault is pointed at, with what to do; nothing is stored. What does not differ between databases."""

import json

import pytest

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import JSON, Clock, live_server

EVENT = {"id": "a", "channel": "EMAIL"}
COSTED = {"id": "a", "channel": "SMS"}


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('events')}/test.db")
    upgrade(store)
    with live_server(store, Clock()) as live:
        yield live
    store.close()


@pytest.fixture
def client(shared_server):
    return shared_server.organization()[1]


def details(answer):
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request"), answer.text
    assert "send the request again" in error["fix"]
    found = {}
    for detail in error["details"]:
        found.setdefault(detail["pointer"], []).append(detail["message"])
    return {pointer: ", ".join(messages) for pointer, messages in found.items()}


def nothing_counted(client):
    usage = client.usage().json()
    return set(usage["channelUsages"].values()) == {0} and usage["pendingCosts"] == 0


def recorded(client, event):
    answer = client.record(event)
    assert answer.status_code == 200, answer.text
    return answer.json()["accepted"] == 1


def without(event, name):
    return {known: value for known, value in event.items() if known != name}


@pytest.mark.parametrize(
    ("event", "pointer", "said"),
    [
        (without(EVENT, "id"), "/id", "is missing"),
        (without(EVENT, "channel"), "/channel", "is missing"),
        (EVENT | {"channel": "email"}, "/channel", "is not one of EMAIL, INAPP_WEB"),
        (EVENT | {"channel": None}, "/channel", "is not one of"),
        (EVENT | {"channel": ["EMAIL"]}, "/channel", "is not one of"),
        (EVENT | {"id": ""}, "/id", "shorter than 1"),
        (EVENT | {"id": "a" * 129}, "/id", "longer than 128"),
        (EVENT | {"id": "a b"}, "/id", "does not match"),
        (EVENT | {"id": "a/b"}, "/id", "does not match"),
        (EVENT | {"id": "a\n"}, "/id", "does not match"),
        (EVENT | {"id": "é"}, "/id", "does not match"),
        (EVENT | {"id": 1}, "/id", "is not a string"),
        (EVENT | {"id": None}, "/id", "is not a string"),
        (EVENT | {"source": ""}, "/source", "shorter than 1"),
        (EVENT | {"source": "a b"}, "/source", "does not match"),
        (EVENT | {"source": "a\t"}, "/source", "does not match"),
        (EVENT | {"source": "a" * 129}, "/source", "longer than 128"),
        (EVENT | {"quantity": 0}, "/quantity", "less than 1"),
        (EVENT | {"quantity": -1}, "/quantity", "less than 1"),
        (EVENT | {"quantity": 1.5}, "/quantity", "is not an integer"),
        (EVENT | {"quantity": 1_000_001}, "/quantity", "more than 1000000"),
        (EVENT | {"quantity": "1"}, "/quantity", "is not an integer"),
        (EVENT | {"quantity": True}, "/quantity", "is not an integer"),
        (EVENT | {"quantity": None}, "/quantity", "is not an integer"),
        (EVENT | {"provider": "Telnyx"}, "/provider", "does not match"),
        (EVENT | {"provider": "-a"}, "/provider", "does not match"),
        (EVENT | {"provider": "a" * 65}, "/provider", "longer than 64"),
        (EVENT | {"providerMessageId": "a b"}, "/providerMessageId", "does not match"),
        (EVENT | {"providerMessageId": "a" * 129}, "/providerMessageId", "longer than 128"),
        (EVENT | {"cost": "1"}, "/cost", "is not known here"),
        (EVENT | {"cost": 0}, "/cost", "is not known here"),
        (EVENT | {"note": 1}, "/note", "is not known here"),
        (EVENT | {"a/b~c": 1}, "/a~1b~0c", "is not known here"),
        (EVENT | {"": 1}, "/", "is not known here"),
        (EVENT | {"metadata": {"a": 1}}, "/metadata/a", "is not a string"),
        (EVENT | {"metadata": {"a": None}}, "/metadata/a", "is not a string"),
        (EVENT | {"metadata": {"a": {"b": "c"}}}, "/metadata/a", "is not a string"),
        (EVENT | {"metadata": ["a"]}, "/metadata", "is not an object"),
        (EVENT | {"metadata": None}, "/metadata", "is not an object"),
        (EVENT | {"metadata": {str(number): "" for number in range(21)}}, "/metadata", "more than 20 members"),
        (EVENT | {"metadata": {"a" * 257: "a"}}, "/metadata", "longer than 256"),
        (EVENT | {"metadata": {"a": "b\n"}}, "/metadata/a", "does not match"),
        (EVENT | {"metadata": {"a": "\x7f"}}, "/metadata/a", "does not match"),
        (EVENT | {"metadata": {"a": "b" * 257}}, "/metadata/a", "longer than 256"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:50],
)
def test_a_bad_event_is_refused_where_it_is_bad(client, event, pointer, said):
    found = details(client.record({"id": "good", "channel": "PUSH"}, event))
    assert said in found["/events/1" + pointer]
    assert all(place.startswith("/events/1/") for place in found)
    assert nothing_counted(client)


@pytest.mark.parametrize("event", [None, 1, "EMAIL", [], {}, [EVENT]])
def test_what_is_no_event_is_refused(client, event):
    assert all(place.startswith("/events/0") for place in details(client.record(event)))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20", "2026-11-20T12:00:00", "2026-11-20 12:00:00Z", "2026-11-20T12:00Z", "2026-11-20T24:00:00Z",
        "2026-02-30T12:00:00Z", "2026-13-01T12:00:00Z", "2026-11-20T12:00:60Z", "2026-11-20T12:00:00,5Z",
        "2026-11-20T12:00:00+24:00", "2026-11-20T12:00:00.Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00", "20261120T120000Z", "2026-W47-5T12:00:00Z", "now", "", "٢٠٢٦-11-20T12:00:00Z",
        "2026-11-20T12:00:00.1234567890Z", "2026-11-20T12:00:00Z\n", " 2026-11-20T12:00:00Z", 1_795_000_000, None,
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused(client, text):
    assert set(details(client.record(EVENT | {"occurredAt": text}))) == {"/events/0/occurredAt"}
    assert nothing_counted(client)


def record_text(client, event):
    """Record an event of JSON as it is written: what a number looks like is the point."""
    content = b'{"events":[%s]}' % event.encode()
    return client.request("POST", "/organization/usage/events", content=content, headers=JSON)


@pytest.mark.parametrize("quantity", ["2.0", "20e-1", "0.2E1", "2.00000000000000000000", "2e0"])
def test_a_quantity_with_a_fraction_or_an_exponent_is_no_integer_to_openapi_and_is_refused(client, quantity):
    answer = record_text(client, f'{{"id":"a","channel":"EMAIL","quantity":{quantity}}}')
    assert details(answer) == {"/events/0/quantity": "is not an integer"}
    assert nothing_counted(client)


@pytest.mark.parametrize(
    "quantity", ["1.5", "2.00000000000000000001", "1e-9", "0.99999999999999999999", "1000000.000001"]
)
def test_a_quantity_with_a_fraction_is_refused_however_small_it_is(client, quantity):
    answer = record_text(client, f'{{"id":"a","channel":"EMAIL","quantity":{quantity}}}')
    assert set(details(answer)) == {"/events/0/quantity"}
    assert nothing_counted(client)


@pytest.mark.parametrize(
    ("cost", "written"),
    [
        ('"0.0109"', "0.0109"),
        ("0.0109", "0.0109"),
        ('"0.010900000"', "0.0109"),
        ("1.09e-2", "0.0109"),
        ('"0"', "0"),
        ("0", "0"),
        ("0.0", "0"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ('"000001"', "1"),
        ("12", "12"),
        ("1e5", "100000"),
        ('"0.123456789"', "0.123456789"),
        ("0.123456789", "0.123456789"),
        ("1e-9", "0.000000001"),
        ("0.1000000000000", "0.1"),
        ('"999999.999999999"', "999999.999999999"),
        ("999999.999999999", "999999.999999999"),
        ("999999.000000001", "999999.000000001"),
        ("0.3", "0.3"),
    ],
)
def test_a_cost_is_counted_exactly_however_it_is_written(client, cost, written):
    answer = record_text(client, f'{{"id":"a","channel":"SMS","cost":{cost}}}')
    assert answer.status_code == 200, answer.text
    assert f'"budgetUsage":{written},"costSms":{written},"costCall":0,' in client.usage().text
    assert client.usage().json()["pendingCosts"] == 0


@pytest.mark.parametrize(
    "cost",
    [
        '"0.1234567890"', '"0.1234567891"', "0.1234567891", "1e-10", "0.0000000001", "999999.9999999991",
        '"-1"', "-1", "-0.000000001", '"1000000"', "1000000", "999999.9999999999", "1e400", "1e6", "-1e400", "1e-400",
        '"1e2"', '"+1"', '".5"', '"5."', '"1,5"', '" 1"', '"1 "', '"1\\n"', '"\u0663"', '""', '"0x1"', '"1_0"', '"NaN"',
        '"Infinity"', '"USD 1"', "null", "true", "[]", "{}", "0.10000000000000000001", "1." + "0" * 40 + "1",
    ],
)  # fmt: skip
def test_a_cost_that_is_no_amount_of_nine_decimals_is_refused(client, cost):
    answer = record_text(client, f'{{"id":"a","channel":"SMS","cost":{cost}}}')
    assert set(details(answer)) == {"/events/0/cost"}
    assert nothing_counted(client)


@pytest.mark.parametrize("channel", ["EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK"])
def test_a_message_has_no_cost(client, channel):
    found = details(client.record({"id": "a", "channel": channel, "cost": "0.01"}))
    assert set(found) == {"/events/0/cost"}


@pytest.mark.parametrize("channel", ["SMS", "CALL"])
def test_without_a_cost_an_sms_or_a_call_is_counted_and_pending(client, channel):
    assert recorded(client, {"id": "a", "channel": channel, "quantity": 3})
    usage = client.usage().json()
    assert (usage["channelUsages"][channel], usage["pendingCosts"], usage["budgetUsage"]) == (3, 1, 0)


@pytest.mark.parametrize(
    "event",
    [
        EVENT | {"id": "A-z.0_9:~" + "a" * 119},
        EVENT | {"source": "!" + "~" * 127},
        EVENT | {"quantity": 1_000_000},
        EVENT | {"provider": "a" + "_" * 63},
        EVENT | {"providerMessageId": "<~!" + "a" * 125},
        EVENT | {"metadata": {f"{number:0256}": "b" * 256 for number in range(20)}},
        EVENT | {"metadata": {"a": "", " ": "ü✓"}},
        EVENT | {"occurredAt": "2026-11-20t12:00:00.123456789z"},
        EVENT | {"occurredAt": "2026-11-20T23:59:59+23:59"},
        EVENT | {"occurredAt": "2026-11-19T12:00:01-23:59"},
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_just_fits_is_recorded(client, event):
    assert recorded(client, event)


def test_every_fault_of_a_request_is_told_at_once_up_to_a_hundred(client):
    events = [{"id": f"e{index}", "channel": "EMAIL", "quantity": 0, "note": 1} for index in range(3)]
    found = details(client.record(*events))
    assert set(found) == {f"/events/{index}/{name}" for index in range(3) for name in ("quantity", "note")}
    many = [{"id": f"e{index}", "channel": "FAX"} for index in range(1_000)]
    assert len(details(client.record(*many))) == 100


def test_an_unknown_member_beside_the_events_is_refused(client):
    answer = client.request("POST", "/organization/usage/events", json={"events": [EVENT], "dryRun": True})
    assert set(details(answer)) == {"/dryRun"}
    assert nothing_counted(client)


CLOUD = {"specversion": "1.0", "id": "c", "source": "/app", "type": "com.example.sent", "data": {"channel": "EMAIL"}}


@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        (without(CLOUD, "specversion"), "/specversion"),
        (without(CLOUD, "source"), "/source"),
        (without(CLOUD, "type"), "/type"),
        (without(CLOUD, "data"), "/data"),
        (CLOUD | {"specversion": "0.3"}, "/specversion"),
        (CLOUD | {"datacontenttype": "text/plain"}, "/datacontenttype"),
        (CLOUD | {"time": "yesterday"}, "/time"),
        (CLOUD | {"id": "a b"}, "/id"),
        (CLOUD | {"data": "EMAIL"}, "/data"),
        (CLOUD | {"data": {"channel": "FAX"}}, "/data/channel"),
        (CLOUD | {"data": {"channel": "EMAIL", "id": "a"}}, "/data/id"),
        (CLOUD | {"data": {"channel": "EMAIL", "source": "a"}}, "/data/source"),
        (CLOUD | {"extension": {"a": "b"}}, "/extension"),
        (CLOUD | {"extension": 1.5}, "/extension"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:60],
)
def test_a_bad_cloudevent_is_refused_where_it_is_bad(client, event, pointer):
    for kind, body, prefix in (("cloudevents", event, ""), ("cloudevents-batch", [CLOUD, event], "/1")):
        headers = {"content-type": f"application/{kind}+json"}
        answer = client.request("POST", "/organization/usage/events", content=json.dumps(body), headers=headers)
        assert set(details(answer)) == {prefix + pointer}
    assert nothing_counted(client)


def test_a_body_under_the_media_type_of_another_is_refused(client):
    for kind, body in (
        ("json", CLOUD),
        ("cloudevents+json", {"events": [EVENT]}),
        ("cloudevents+json", [CLOUD]),
        ("cloudevents-batch+json", CLOUD),
    ):
        headers = {"content-type": f"application/{kind}"}
        assert details(client.request("POST", "/organization/usage/events", content=json.dumps(body), headers=headers))
    assert nothing_counted(client)
