"""Holds over HTTP: what a caller that asks before a send sees, retries included."""

import json
from decimal import Decimal

import pytest

from sendmeter.domain.caps import Caps

PATH = "/organization/usage/holds"
SMS = {"id": "campaign", "channel": "SMS", "quantity": 100, "estimatedCost": "1.25", "ttlSeconds": 60}
EMAIL = {"id": "letter", "channel": "EMAIL"}
HELD = {
    **SMS,
    "estimatedCost": 1.25,
    "placedAt": "2026-11-20T12:00:00Z",
    "expiresAt": "2026-11-20T12:01:00Z",
    "state": "held",
}


def budget(usd):
    return Caps(budget_nano_usd=int(Decimal(usd) * 10**9))


def place(client, hold, **changes):
    return client.request("POST", PATH, json={**hold, **changes})


def end(client, hold_id, how, **body):
    return client.request("POST", f"{PATH}/{hold_id}/{how}", **({"json": body} if how == "settle" else {}))


def standing(client, cap):
    limits = client.request("GET", "/organization/limits").json()
    return next((each["used"], each["held"], each["remaining"]) for each in limits["standings"] if each["cap"] == cap)


def test_a_hold_is_201_once_and_200_from_then_on_with_what_it_became(server):
    _, client = server.organization(caps=budget("2"))
    answer = place(client, SMS)
    assert (answer.status_code, answer.json()) == (201, HELD)
    answer = place(client, SMS, estimatedCost=1.25)
    assert (answer.status_code, answer.json()) == (200, HELD)
    assert standing(client, "budgetCap") == (0, 1.25, 0.75)
    server.clock.advance(seconds=60)
    answer = place(client, SMS)
    assert (answer.status_code, answer.json()) == (200, {**HELD, "state": "expired"})
    assert standing(client, "budgetCap") == (0, 0, 2)


def test_the_defaults_of_a_hold_are_the_contracts(server):
    _, client = server.organization()
    hold = place(client, EMAIL).json()
    assert (hold["quantity"], hold["ttlSeconds"], hold["expiresAt"]) == (1, 900, "2026-11-20T12:15:00Z")
    assert "estimatedCost" not in hold
    assert place(client, EMAIL, quantity=1, ttlSeconds=900).status_code == 200


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"quantity": 99}, ["/quantity"]),
        ({"ttlSeconds": 61, "estimatedCost": "1.26"}, ["/estimatedCost", "/ttlSeconds"]),
        ({"channel": "CALL"}, ["/channel"]),
    ],
)
def test_the_same_id_with_other_content_is_a_conflict_that_points_at_it(server, changes, pointers):
    _, client = server.organization()
    place(client, SMS)
    answer = place(client, SMS, **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")
    assert [detail["pointer"] for detail in answer.json()["error"]["details"]] == pointers
    assert client.request("GET", f"{PATH}/campaign").json() == HELD


def test_where_there_is_no_room_the_answer_says_which_cap_and_how_it_stands(server):
    _, client = server.organization(caps=budget("2"))
    client.record({"id": "1", "channel": "CALL", "cost": "0.5"})
    place(client, SMS)
    answer = place(client, SMS, id="another", estimatedCost="0.250000001")
    assert answer.status_code == 402
    assert answer.json()["error"] == {
        "code": "usage_limit_exceeded",
        "message": "The budget cap of 2 USD has no room for 0.250000001 USD more, with 0.5 USD used and 1.25 USD held."
        " The cycle ends at 2026-12-01T00:00:00Z.",
        "fix": "Ask for less, wait for holds to end or for the next billing cycle, or raise the cap.",
    }
    assert client.request("GET", f"{PATH}/another").status_code == 404
    assert place(client, SMS, id="another", estimatedCost="0.25").status_code == 201


def test_where_there_is_a_budget_an_sms_without_an_estimate_is_refused(server):
    _, client = server.organization(caps=budget("2"))
    answer = place(client, {"id": "1", "channel": "SMS"})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["pointer"] == "/estimatedCost"
    assert place(client, EMAIL).status_code == 201
    assert place(server.organization()[1], {"id": "1", "channel": "SMS"}).status_code == 201


def test_a_settled_hold_frees_its_room_and_its_event_is_counted(server):
    _, client = server.organization(caps=budget("2"))
    place(client, SMS)
    server.clock.advance(seconds=59)
    settled = end(client, "campaign", "settle", quantity=90, cost="1.125", provider="telnyx", metadata={"a": "b"})
    assert settled.status_code == 200
    assert settled.json() == {
        **HELD,
        "state": "settled",
        "endedAt": "2026-11-20T12:00:59Z",
        "event": {"source": "api", "id": "campaign"},
        "settledAfterExpiry": False,
    }
    again = end(client, "campaign", "settle", quantity=90, cost=1.125, provider="telnyx", metadata={"a": "b"})
    assert (again.status_code, again.json()) == (200, settled.json())
    assert standing(client, "budgetCap") == (1.125, 0, 0.875)
    event = client.request("GET", "/organization/usage/events/campaign").json()
    assert (event["quantity"], event["cost"], event["provider"], event["metadata"]) == (90, 1.125, "telnyx", {"a": "b"})


def test_a_hold_that_is_settled_without_a_cost_keeps_its_estimate_until_the_cost_is_known(server):
    _, client = server.organization(caps=budget("2"))
    place(client, SMS)
    end(client, "campaign", "settle", eventId="sent", source="gateway")
    assert standing(client, "budgetCap") == (0, 1.25, 0.75)
    assert client.usage().json()["pendingCosts"] == 1
    assert place(client, SMS, id="another").status_code == 402
    path = "/organization/usage/events/sent/cost?source=gateway"
    assert client.request("PUT", path, json={"cost": "0.1"}).json()["cost"] == 0.1
    assert standing(client, "budgetCap") == (0.1, 0, 1.9)
    assert place(client, SMS, id="another").status_code == 201


def test_a_hold_that_expired_is_settled_all_the_same_and_says_so(server):
    _, client = server.organization(caps=Caps(messages=1))
    place(client, EMAIL)
    server.clock.advance(seconds=900)
    assert place(client, EMAIL, id="second").status_code == 201, "an expired hold still counts"
    settled = end(client, "letter", "settle").json()
    assert (settled["state"], settled["settledAfterExpiry"]) == ("settled", True)
    assert standing(client, "messageCap") == (1, 1, 0), "what was sent is a fact, past the cap too"


def test_a_released_hold_frees_its_room_and_cannot_be_settled(server):
    _, client = server.organization(caps=Caps(messages=1))
    place(client, EMAIL)
    for _ in range(2):
        answer = end(client, "letter", "release")
        assert (answer.status_code, answer.json()["state"]) == (200, "released")
    assert standing(client, "messageCap") == (0, 0, 1)
    answer = end(client, "letter", "settle")
    assert answer.status_code == 409
    assert client.usage().json()["messageUsage"] == 0


def test_a_settled_hold_is_settled_into_no_other_event_and_not_released(server):
    _, client = server.organization()
    place(client, EMAIL)
    end(client, "letter", "settle")
    assert end(client, "letter", "settle", eventId="another").status_code == 409
    assert end(client, "letter", "settle", quantity=2).status_code == 409
    assert end(client, "letter", "release").status_code == 409
    assert client.usage().json()["messageUsage"] == 1


def test_a_cost_for_messages_contradicts_the_hold(server):
    _, client = server.organization()
    place(client, EMAIL)
    answer = end(client, "letter", "settle", cost="1")
    assert (answer.status_code, answer.json()["error"]["details"][0]["pointer"]) == (409, "/cost")
    assert client.request("GET", f"{PATH}/letter").json()["state"] == "held"


def test_a_refused_event_leaves_the_hold_as_it_was(server):
    _, client = server.organization()
    place(client, EMAIL)
    answer = end(client, "letter", "settle", occurredAt="2026-11-20T12:05:01Z")
    assert answer.status_code == 400
    client.record({"id": "taken", "channel": "EMAIL", "quantity": 7})
    assert end(client, "letter", "settle", eventId="taken").status_code == 409
    assert client.request("GET", f"{PATH}/letter").json()["state"] == "held"
    assert client.usage().json()["messageUsage"] == 7


def test_a_hold_of_the_last_cycle_still_counts_in_the_next_until_it_ends(server):
    server.clock.now = server.clock.now.replace(day=30, hour=23, minute=59)
    _, client = server.organization(caps=Caps(messages=1))
    place(client, EMAIL)
    server.clock.advance(minutes=2)
    assert place(client, EMAIL, id="second").status_code == 402
    end(client, "letter", "settle")
    assert client.usage().json()["messageUsage"] == 1, "it was sent in December"
    assert client.usage().json()["billingCycleStart"] == "2026-12-01T00:00:00Z"


@pytest.mark.parametrize("enforcement", ["observe", "block", "lock"])
def test_only_observe_admits_past_a_cap(server, enforcement):
    _, client = server.organization(caps=Caps(messages=0, enforcement=enforcement))
    assert place(client, EMAIL).status_code == (201 if enforcement == "observe" else 402)


@pytest.mark.parametrize(
    ("hold", "pointer"),
    [
        ({**EMAIL, "estimatedCost": "1"}, "/estimatedCost"),
        ({**EMAIL, "ttlSeconds": 0}, "/ttlSeconds"),
        ({**EMAIL, "ttlSeconds": 86_401}, "/ttlSeconds"),
        ({**EMAIL, "quantity": 0}, "/quantity"),
        ({**EMAIL, "id": ".."}, "/id"),
        ({**EMAIL, "channel": "FAX"}, "/channel"),
        ({"id": "1"}, "/channel"),
        ({**SMS, "estimatedCost": -1}, "/estimatedCost"),
        ({**SMS, "estimatedCost": 0.0000000001}, "/estimatedCost"),
    ],
)
def test_what_is_no_hold_is_refused_where_it_is_wrong(sqlite_server, hold, pointer):
    _, client = sqlite_server.organization()
    answer = place(client, hold)
    assert answer.status_code == 400
    assert pointer in [detail["pointer"] for detail in answer.json()["error"]["details"]]


def test_amounts_are_exact_to_the_last_digit(server):
    _, client = server.organization(caps=budget("900000"))
    place(client, SMS, estimatedCost="800000.000000001")
    answer = client.request("GET", "/organization/limits")
    (standings,) = json.loads(answer.text, parse_float=Decimal)["standings"]
    assert (standings["held"], standings["remaining"]) == (Decimal("800000.000000001"), Decimal("99999.999999999"))


def test_a_hold_is_settled_as_it_is_without_a_body(server):
    _, client = server.organization()
    place(client, EMAIL, quantity=3)
    answer = client.request("POST", f"{PATH}/letter/settle")
    assert (answer.status_code, answer.json()["event"]) == (200, {"source": "api", "id": "letter"})
    assert client.usage().json()["messageUsage"] == 3
    assert end(client, "letter", "settle").json() == answer.json()
