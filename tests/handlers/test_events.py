"""What a client that records is told, and what is counted then."""

import pytest

from sendmeter.services.verify import differences

EMAIL = {"id": "a", "channel": "EMAIL"}
SMS = {"id": "s", "channel": "SMS", "cost": "0.0109"}
CLOUD = {"specversion": "1.0", "source": "/app", "type": "com.example.sent"}


def outcomes(answer):
    assert answer.status_code == 200, answer.text
    return [each["outcome"] for each in answer.json()["events"]]


def refused(answer, status, *pointers):
    """Check that an answer refuses, tells what to do, and points at what is wrong."""
    code = {400: "invalid_request", 409: "conflict"}[status]
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert "Nothing was stored." in answer.json()["error"]["fix"]
    assert sorted(each["pointer"] for each in answer.json()["error"]["details"]) == sorted(pointers)
    return " ".join(each["message"] for each in answer.json()["error"]["details"])


def counted(client):
    """Return what is counted: messages, SMS, calls, pending costs, and the sums as they are written."""
    usage = client.usage().json()
    channels = usage["channelUsages"]
    return usage["messageUsage"], channels["SMS"], channels["CALL"], usage["pendingCosts"]


def sums(client):
    """Return `budgetUsage`, `costSms` and `costCall` as the text that was sent."""
    members = client.usage().text.strip("{").split(",")
    return [member.partition(":")[2] for member in members if member.startswith(('"budget', '"cost'))]


def cloud(event_id, data, **attributes):
    return {**CLOUD, "id": event_id, "data": data, **attributes}


def send_cloud(client, value):
    kind = "cloudevents-batch" if isinstance(value, list) else "cloudevents"
    headers = {"content-type": f"application/{kind}+json"}
    return client.request("POST", "/organization/usage/events", json=value, headers=headers)


def test_the_same_event_again_is_a_duplicate_and_counts_once(server):
    organization, client = server.organization()
    first = client.record(EMAIL, SMS)
    assert first.json() == {
        "accepted": 2,
        "duplicates": 0,
        "late": 0,
        "events": [
            {"id": "a", "source": "api", "outcome": "accepted"},
            {"id": "s", "source": "api", "outcome": "accepted"},
        ],
    }
    again = client.record(SMS, EMAIL, EMAIL | {"id": "b"})
    assert outcomes(again) == ["duplicate", "duplicate", "accepted"]
    assert (again.json()["accepted"], again.json()["duplicates"]) == (1, 2)
    assert counted(client) == (2, 1, 0, 0)
    assert sums(client) == ["0.0109", "0.0109", "0"]
    assert differences(server.store, organization) == []


def test_the_same_content_in_another_spelling_is_a_duplicate(server):
    _, client = server.organization()
    client.record(SMS)
    spellings = [{"quantity": 1}, {"source": "api"}, {"cost": 0.0109}, {"cost": "0.010900000"}]
    for spelling in [*spellings, {"metadata": {}}]:
        assert outcomes(client.record(SMS | spelling)) == ["duplicate"], spelling
    assert counted(client) == (0, 1, 0, 0)


def test_the_same_instant_and_metadata_in_another_spelling_are_a_duplicate(server):
    _, client = server.organization()
    event = EMAIL | {"occurredAt": "2026-11-20T09:00:00Z", "metadata": {"a": "1", "ü": "✓"}}
    client.record(event)
    other = event | {"occurredAt": "2026-11-20T10:00:00.000000+01:00", "metadata": {"ü": "✓", "a": "1"}}
    assert outcomes(client.record(other)) == ["duplicate"]


def test_the_same_id_in_two_sources_is_two_events(server):
    _, client = server.organization()
    answer = client.record(EMAIL, EMAIL | {"source": "gateway"}, EMAIL | {"source": "Gateway"}, EMAIL | {"id": "A"})
    assert outcomes(answer) == ["accepted"] * 4
    assert outcomes(client.record(EMAIL | {"source": "gateway"})) == ["duplicate"]
    assert counted(client)[0] == 4


def test_a_known_id_with_other_content_is_a_conflict_and_nothing_of_its_batch_is_stored(server):
    organization, client = server.organization()
    event = SMS | {"provider": "telnyx", "occurredAt": "2026-11-20T11:00:00Z"}
    client.record(event)
    for name, value in {
        "quantity": 2,
        "channel": "CALL",
        "cost": "0.010900001",
        "provider": "twilio",
        "providerMessageId": "x",
        "occurredAt": "2026-11-20T11:59:59Z",
        "metadata": {"a": "b"},
    }.items():
        answer = client.record(EMAIL, event | {name: value}, EMAIL | {"id": "b"})
        assert refused(answer, 409, "/events/1").endswith(f"was recorded with another {name}")
    assert counted(client) == (0, 1, 0, 0)
    assert outcomes(client.record(EMAIL, event)) == ["accepted", "duplicate"], "nothing of the refused batches is known"
    assert differences(server.store, organization) == []


def test_leaving_out_what_was_told_before_is_other_content(server):
    _, client = server.organization()
    client.record(SMS | {"metadata": {"a": "b"}})
    bare = {name: value for name, value in SMS.items() if name != "cost"}
    assert "another cost, metadata" in refused(client.record(bare), 409, "/events/0")
    client.record(bare | {"id": "t"})
    refused(client.record(SMS | {"id": "t"}), 409, "/events/0")
    assert counted(client) == (0, 2, 0, 1)


def test_each_conflict_of_a_batch_is_pointed_at(server):
    _, client = server.organization()
    client.record(*[EMAIL | {"id": f"e{index}"} for index in range(5)])
    batch = [EMAIL | {"id": f"e{index}", "quantity": 1 + index % 2} for index in range(5)]
    answer = client.record(*batch)
    refused(answer, 409, "/events/1", "/events/3")
    assert answer.json()["error"]["message"].startswith("2 events have ids")


def test_the_same_event_twice_in_one_batch_is_recorded_once(server):
    _, client = server.organization()
    assert outcomes(client.record(EMAIL, SMS, EMAIL | {"quantity": 1}, EMAIL)) == [
        "accepted", "accepted", "duplicate", "duplicate",
    ]  # fmt: skip
    assert counted(client) == (1, 1, 0, 0)


def test_two_contents_under_one_id_in_one_batch_are_a_conflict_and_nothing_is_stored(server):
    _, client = server.organization()
    answer = client.record({"id": "x", "channel": "PUSH"}, EMAIL, EMAIL | {"quantity": 2}, EMAIL)
    assert "stands in the batch too with another quantity" in refused(answer, 409, "/events/2")
    assert counted(client) == (0, 0, 0, 0)
    assert outcomes(client.record(EMAIL)) == ["accepted"]


def test_a_batch_is_stored_whole_or_not_at_all(server):
    organization, client = server.organization()
    good = [EMAIL | {"id": f"e{index}"} for index in range(50)]
    refused(client.record(*good, {"id": "x", "channel": "FAX"}), 400, "/events/50/channel")
    refused(client.record(*good, EMAIL | {"id": "x", "occurredAt": "2026-11-21T00:00:00Z"}), 400, "/events/50")
    refused(client.record(*good, good[0] | {"quantity": 2}), 409, "/events/50")
    assert counted(client) == (0, 0, 0, 0)
    assert outcomes(client.record(*good)) == ["accepted"] * 50
    assert differences(server.store, organization) == []


def test_a_thousand_events_are_a_batch_and_one_more_is_none(server):
    organization, client = server.organization()
    events = [EMAIL | {"id": f"e{index}"} for index in range(1_001)]
    assert "more than 1,000 items" in refused(client.record(*events), 400, "/events")
    assert "fewer than 1 items" in refused(client.record(), 400, "/events")
    assert counted(client) == (0, 0, 0, 0)
    assert outcomes(client.record(*events[:-1])) == ["accepted"] * 1_000
    assert outcomes(client.record(*events[1:])) == ["duplicate"] * 999 + ["accepted"]
    assert counted(client)[0] == 1_001
    assert differences(server.store, organization) == []


def test_a_cloudevent_is_recorded_as_the_same_event_otherwise_sent(server):
    _, client = server.organization()
    data = {"channel": "SMS", "quantity": 3, "cost": "0.03", "provider": "telnyx", "metadata": {"a": "b"}}
    one = cloud(
        "c", data, time="2026-11-20T09:00:00Z", subject="x", traceparent="00-1", datacontenttype="application/json"
    )
    assert outcomes(send_cloud(client, one)) == ["accepted"]
    assert outcomes(send_cloud(client, one)) == ["duplicate"]
    same = data | {"id": "c", "source": "/app", "occurredAt": "2026-11-20T09:00:00Z"}
    assert outcomes(client.record(same)) == ["duplicate"]
    assert counted(client) == (0, 3, 0, 0)


def test_a_batch_of_cloudevents_is_stored_whole_or_not_at_all(server):
    _, client = server.organization()
    good = [cloud("1", {"channel": "PUSH"}), cloud("2", {"channel": "CALL"}), cloud("1", {"channel": "PUSH"})]
    refused(send_cloud(client, [*good, cloud("3", {"channel": "EMAIL", "cost": 1})]), 400, "/3/data/cost")
    refused(send_cloud(client, [*good, cloud("1", {"channel": "SLACK"})]), 409, "/3")
    refused(send_cloud(client, []), 400, "")
    assert counted(client) == (0, 0, 0, 0)
    assert outcomes(send_cloud(client, good)) == ["accepted", "accepted", "duplicate"]
    assert counted(client) == (1, 0, 1, 1)


def test_the_time_in_a_cloudevents_data_goes_before_its_own(server):
    _, client = server.organization()
    both = cloud("c", {"channel": "EMAIL", "occurredAt": "2026-11-20T08:00:00Z"}, time="2026-11-20T09:00:00Z")
    assert outcomes(send_cloud(client, both)) == ["accepted"]
    same = EMAIL | {"id": "c", "source": "/app", "occurredAt": "2026-11-20T08:00:00Z"}
    assert outcomes(client.record(same)) == ["duplicate"]


def test_sums_are_exact_to_the_ninth_decimal(server):
    organization, client = server.organization()
    client.record(
        {"id": "1", "channel": "SMS", "cost": "0.1"},
        {"id": "2", "channel": "SMS", "cost": 0.2},
        {"id": "3", "channel": "SMS", "cost": "999999.999999999"},
        {"id": "4", "channel": "SMS", "cost": 999999.999999999},
        {"id": "5", "channel": "CALL", "cost": "0.000000001"},
        {"id": "6", "channel": "CALL", "cost": 1e-9},
        {"id": "7", "channel": "CALL", "cost": 0},
    )
    assert sums(client) == ["2000000.3", "2000000.299999998", "0.000000002"]
    for index in range(10):
        client.record(*[{"id": f"t{index}-{each}", "channel": "CALL", "cost": 0.000000007} for each in range(100)])
    assert sums(client) == ["2000000.300007", "2000000.299999998", "0.000007002"]
    assert differences(server.store, organization) == []


def fill(server, organization, client, column, amount):
    """Set the counters of a channel to what years of traffic would make them."""
    client.record({"id": "fill", "channel": "SMS", "cost": 0})
    for table in ("cycle_counters", "day_counters"):
        statement = f"UPDATE {table} SET {column} = ? WHERE organization_id = ?"
        server.store.write(lambda said=statement: server.store.execute(said, (amount, organization.number)))


@pytest.mark.parametrize(
    ("column", "full", "event"),
    [
        ("quantity", 9_007_199_254_740_990, {"quantity": 2, "cost": 0}),
        ("cost_nano_usd", 8_999_999_999_999_999_999, {"cost": "0.000000002"}),
        ("cost_nano_usd", 9_000_000_000_000_000_000, {"cost": "999999.999999999"}),
    ],
)
def test_what_a_counter_cannot_hold_is_refused_and_nothing_is_stored(server, column, full, event):
    organization, client = server.organization()
    fill(server, organization, client, column, full)
    before = client.usage().text
    answer = client.record(EMAIL, {"id": "over", "channel": "SMS"} | event)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert "Nothing was stored." in answer.json()["error"]["fix"]
    assert client.usage().text == before
    assert outcomes(client.record(EMAIL)) == ["accepted"], "nothing of the refused batch is known"


def test_a_counter_is_filled_to_its_last_unit(server):
    organization, client = server.organization()
    fill(server, organization, client, "quantity", 9_007_199_254_740_990)
    fill(server, organization, client, "cost_nano_usd", 8_999_999_999_999_999_999)
    assert outcomes(client.record({"id": "last", "channel": "SMS", "cost": 1e-9})) == ["accepted"]
    assert client.usage().json()["channelUsages"]["SMS"] == 9_007_199_254_740_991
    assert sums(client) == ["9000000000", "9000000000", "0"]
    assert outcomes(client.record({"id": "call", "channel": "CALL", "cost": 1e-9})) == ["accepted"]
    assert sums(client) == ["9000000000.000000001", "9000000000", "0.000000001"]


def test_every_kind_of_character_in_metadata_is_kept_as_it_was_sent(server):
    _, client = server.organization()
    metadata = {
        "emoji 😀": "👩‍👩‍👧",
        "backslash \\": "\\u0000 is text here",
        'quote"': "'; DROP TABLE events; --",
        "e": "",
    }
    event = EMAIL | {"metadata": metadata}
    assert outcomes(client.record(event)) == ["accepted"]
    assert outcomes(client.record(event)) == ["duplicate"]
    refused(client.record(event | {"metadata": metadata | {"e": " "}}), 409, "/events/0")
