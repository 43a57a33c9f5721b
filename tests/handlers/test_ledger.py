"""Events found again, taken back, and given a cost later, over HTTP."""

from datetime import timedelta

import pytest

from sendmeter.services.verify import differences
from tests.live import NOON

PATH = "/organization/usage/events"
SMS = {"id": "s", "channel": "SMS", "provider": "twilio", "metadata": {"country": "DE"}}
FOUND = {
    **SMS,
    "source": "api",
    "quantity": 1,
    "costPending": True,
    "state": "recorded",
    "occurredAt": "2026-11-20T12:00:00Z",
    "recordedAt": "2026-11-20T12:00:00Z",
    "late": False,
    "billingCycleStart": "2026-11-01T00:00:00Z",
    "corrections": [],
}


def void(client, event_id="s", reason="a mistake", **options):
    return client.request("POST", f"{PATH}/{event_id}/void", json={"reason": reason}, **options)


def settle(client, cost, event_id="s", **body):
    return client.request("PUT", f"{PATH}/{event_id}/cost", json={"cost": cost, **body})


def counted(client):
    usage = client.usage().json()
    return usage["channelUsages"]["SMS"], usage["costSms"], usage["pendingCosts"]


def test_an_event_is_found_as_it_was_sent(server):
    _, client = server.organization()
    client.record(SMS)
    assert client.request("GET", f"{PATH}/s").json() == FOUND
    assert client.request("GET", PATH).json() == {"items": [FOUND]}


def test_a_cost_that_comes_later_is_counted_and_may_be_corrected(server):
    organization, client = server.organization()
    client.record(SMS)
    server.clock.advance(hours=1)
    settled = settle(client, "0.0109", reason="as invoiced").json()
    assert (settled["cost"], settled["costPending"]) == (0.0109, False)
    assert counted(client) == (1, 0.0109, 0)
    assert settle(client, 0.0109).json() == settled, "the same cost again adds no entry"
    (correction,) = settled["corrections"]
    key = client.request("GET", "/organization/keys").json()["items"][0]["keyId"]
    assert {name: value for name, value in correction.items() if name != "id"} == {
        "kind": "settle",
        "cost": 0.0109,
        "reason": "as invoiced",
        "recordedAt": "2026-11-20T13:00:00Z",
        "recordedBy": key,
        "late": False,
        "billingCycleStart": "2026-11-01T00:00:00Z",
    }
    assert [each["cost"] for each in settle(client, "0.01").json()["corrections"]] == [0.0109, 0.01]
    assert counted(client) == (1, 0.01, 0)
    assert differences(server.store, organization) == []


def test_a_voided_event_counts_for_nothing_and_its_id_stays_used(server):
    organization, client = server.organization()
    client.record(SMS)
    settle(client, "0.5")
    voided = void(client).json()
    assert (voided["state"], voided["cost"], voided["costPending"]) == ("voided", 0.5, False)
    assert counted(client) == (0, 0, 0)
    refused = void(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert "was voided at 2026-11-20T12:00:00Z" in refused.json()["error"]["message"]
    assert settle(client, "0.5").status_code == 409
    assert client.record(SMS).json()["duplicates"] == 1
    assert counted(client) == (0, 0, 0)
    assert differences(server.store, organization) == []


def test_a_pending_event_that_is_voided_is_pending_no_more(server):
    organization, client = server.organization()
    client.record(SMS)
    voided = void(client).json()
    assert (voided["state"], voided["costPending"], "cost" in voided) == ("voided", False, False)
    assert counted(client) == (0, 0, 0)
    assert differences(server.store, organization) == []


def test_corrections_of_a_closed_cycle_are_counted_in_the_running_one(server):
    organization, client = server.organization()
    client.record(SMS, {**SMS, "id": "known", "cost": "0.25"})
    server.clock.now = NOON + timedelta(days=20)
    settled = settle(client, "0.5").json()
    voided = void(client, "known").json()
    for event in (settled, voided):
        assert event["billingCycleStart"] == "2026-11-01T00:00:00Z"
        (correction,) = event["corrections"]
        assert (correction["late"], correction["billingCycleStart"]) == (True, "2026-12-01T00:00:00Z")
    assert counted(client) == (-1, 0.25, 0)
    history = client.request("GET", "/organization/usage/history?startDate=2026-11-01&endDate=2026-12-31").json()
    november, december = history["items"]
    assert (november["channelUsages"]["SMS"], november["costSms"], november["pendingCosts"]) == (2, 0.25, 1)
    assert (december["channelUsages"]["SMS"], december["costSms"], december["pendingCosts"]) == (-1, 0.25, 0)
    assert differences(server.store, organization) == []


def test_an_event_of_another_source_is_another_event(server):
    _, client = server.organization()
    client.record(SMS, {**SMS, "source": "/crm/1"})
    assert void(client).json()["source"] == "api"
    other = client.request("GET", f"{PATH}/s", params={"source": "/crm/1"}).json()
    assert (other["source"], other["state"]) == ("/crm/1", "recorded")
    assert client.request("GET", f"{PATH}/s?source=crm").status_code == 404


def test_a_message_has_no_cost_to_set(server):
    _, client = server.organization()
    client.record({"id": "mail", "channel": "EMAIL"})
    answer = settle(client, "1", "mail")
    assert (answer.status_code, answer.json()["error"]["details"][0]["pointer"]) == (409, "/cost")
    assert "cost" not in client.request("GET", f"{PATH}/mail").json()


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\nb", None])
def test_a_void_says_why(sqlite_server, reason):
    _, client = sqlite_server.organization()
    client.record(SMS)
    assert void(client, reason=reason).status_code == 400
    assert client.request("GET", f"{PATH}/s").json()["state"] == "recorded"


def test_events_are_found_by_channel_and_time_newest_first(server):
    _, client = server.organization()
    for minute, channel in enumerate(("EMAIL", "SMS", "CALL", "SMS")):
        occurred_at = f"2026-11-20T11:0{minute}:00Z"
        client.record({"id": f"e{minute}", "channel": channel, "occurredAt": occurred_at})

    def found(**filters):
        return [event["id"] for event in client.request("GET", PATH, params=filters).json()["items"]]

    assert found() == ["e3", "e2", "e1", "e0"]
    assert found(channel="SMS") == ["e3", "e1"]
    within = {"from": "2026-11-20T11:01:00Z", "to": "2026-11-20T12:03:00+01:00"}
    assert found(**within) == ["e2", "e1"]
    assert found(**within, channel="CALL") == ["e2"]
    assert found(**{"from": "2026-11-20T11:03:00.000001Z"}) == []


def test_a_page_goes_on_where_it_ended_whatever_is_recorded_meanwhile(server):
    _, client = server.organization()
    events = [
        {"id": f"e{second:02}", "channel": "PUSH", "occurredAt": f"2026-11-20T11:00:{second:02}Z"}
        for second in range(9)
    ]
    client.record(*events)
    first = client.request("GET", f"{PATH}?limit=4").json()
    client.record(
        {"id": "newer", "channel": "SMS"}, {"id": "older", "channel": "SMS", "occurredAt": "2026-11-20T10:00:00Z"}
    )
    second = client.request("GET", f"{PATH}?limit=100&cursor={first['nextCursor']}").json()
    seen = [event["id"] for event in first["items"] + second["items"]]
    assert seen == ["e08", "e07", "e06", "e05", "e04", "e03", "e02", "e01", "e00", "older"]
    assert "nextCursor" not in second


def test_an_event_sent_again_with_its_cost_is_told_where_a_cost_is_set(server):
    _, client = server.organization()
    client.record(SMS)
    refused = client.record({**SMS, "cost": "0.01"})
    assert refused.status_code == 409
    assert "events.settle" in refused.json()["error"]["fix"]
    assert "new id" in client.record({**SMS, "cost": "0.01", "quantity": 2}).json()["error"]["fix"]


def test_an_answer_ends_its_line_in_a_terminal(sqlite_server):
    _, client = sqlite_server.organization()
    assert client.usage().text.endswith("}\n")
    assert client.request("GET", f"{PATH}/none").text.endswith("}\n")
