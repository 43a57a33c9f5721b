"""Each scenario is the state that its description tells of, whenever it is begun."""

from datetime import UTC, datetime

import pytest

from sendmeter.mock.scenarios import SCENARIOS
from tests.live import NOON

USAGE, HISTORY, HOLDS = "/organization/usage", "/organization/usage/history", "/organization/usage/holds"
BUSY = {"messageUsage": 13025, "budgetUsage": 22.5746625, "pendingCosts": 0}
NOT_BUSY = {"fresh", "over-cap", "pending-costs", "provider-down"}
# Month ends, the leap day, a new year, the first and last moment of a day.
MOMENTS = [
    NOON,
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2026, 3, 30, 0, 0, 1, tzinfo=UTC),
    datetime(2027, 2, 28, 12, tzinfo=UTC),
]


def parts(answer, like):
    return {name: answer.json()[name] for name in like}


def place(mock, quantity, **options):
    body = {"id": f"hold-{quantity}", "channel": "EMAIL", "quantity": quantity}
    return mock("POST", HOLDS, json=body, **options)


@pytest.mark.parametrize("now", MOMENTS, ids=str)
def test_what_is_as_busy_counts_the_same_whenever_it_is_begun(now, mock):
    mock.clock.now = now
    for name in SCENARIOS.keys() - NOT_BUSY:
        assert parts(mock("GET", USAGE, scenario=name), BUSY) == BUSY, name


def test_busy_has_all_channels_three_earlier_cycles_a_void_a_settlement_and_a_late_event(mock):
    assert all(mock("GET", USAGE).json()["channelUsages"].values())
    query = "?startDate=2026-08-06&endDate=2026-11-20&groupBy=billing"
    cycles = mock("GET", HISTORY + query).json()["items"]
    assert [cycle["yearMonth"] for cycle in cycles] == ["2026-08-05", "2026-09-05", "2026-10-05", "2026-11-05"]
    assert all(cycle["messageUsage"] and cycle["budgetUsage"] for cycle in cycles)
    found = {name: mock("GET", f"{USAGE}/events/{name}").json() for name in ("voided-1", "settled-1", "late-1")}
    assert (found["voided-1"]["state"], found["settled-1"]["cost"]) == ("voided", 0.099425)
    assert found["late-1"]["late"] is True


def test_fresh_has_nothing_and_began_today(mock):
    usage = mock("GET", USAGE, scenario="fresh").json()
    assert (usage["messageUsage"], usage["budgetUsage"], set(usage["channelUsages"].values())) == (0, 0, {0})
    assert usage["billingCycleStart"] == "2026-11-20T00:00:00Z"
    assert mock("GET", "/organization/limits").json()["standings"] == []


def test_near_cap_admits_a_small_hold_and_refuses_a_large_one(mock):
    assert place(mock, 10, scenario="near-cap").status_code == 201
    assert place(mock, 1000).status_code == 402
    for standing in mock("GET", "/organization/limits").json()["standings"]:
        assert 0.93 < standing["used"] / standing["limit"] < 0.96


def test_at_cap_answers_usage_and_refuses_holds(mock):
    assert mock("GET", USAGE, scenario="at-cap").status_code == 200
    assert place(mock, 1).status_code == 402


def test_over_cap_refuses_to_read_usage_too_and_answers_limits(mock):
    assert mock("GET", USAGE, scenario="over-cap").status_code == 402
    assert mock("GET", f"{HISTORY}?startDate=2026-11-01&endDate=2026-11-20").status_code == 402
    limits = mock("GET", "/organization/limits").json()
    assert (limits["enforcement"], [standing["remaining"] for standing in limits["standings"]]) == ("lock", [0, 0])


def test_pending_costs_are_counted(mock):
    assert mock("GET", USAGE, scenario="pending-costs").json()["pendingCosts"] == 12


def test_provider_down_is_a_502_but_for_what_is_known(mock):
    answer = mock("GET", USAGE, scenario="provider-down")
    assert answer.status_code == 502
    assert (answer.json()["error"]["provider"], answer.json()["error"]["providerCode"]) == ("telnyx", "10009")
    assert mock("GET", f"{HISTORY}?startDate=2026-11-10&endDate=2026-11-10&groupBy=billing").status_code == 502
    assert mock("GET", f"{USAGE}?costs=known").json()["pendingCosts"] == 12


def test_held_has_three_holds_that_stand(mock):
    states = [mock("GET", f"{HOLDS}/{name}", scenario="held").json()["state"] for name in
              ("campaign-1", "campaign-2", "calls-1")]  # fmt: skip
    assert states == ["held"] * 3
    standings = {each["cap"]: each["held"] for each in mock("GET", "/organization/limits").json()["standings"]}
    assert standings == {"messageCap": 500, "budgetCap": 5.75, "SMS": 80}


def test_late_month_ends_tomorrow(mock):
    assert mock("GET", USAGE, scenario="late-month").json()["billingCycleEnd"] == "2026-11-21T00:00:00Z"


def test_read_only_answers_what_any_key_may_ask_and_refuses_the_rest(mock):
    assert mock("GET", USAGE, scenario="read-only").status_code == 200
    assert mock("GET", "/organization/limits").status_code == 200
    assert place(mock, 1).status_code == 403
    assert mock("GET", "/organizations").status_code == 403


def test_a_scenario_that_there_is_not_is_refused_with_those_that_there_are(mock):
    answer = mock("GET", USAGE, scenario="bussy")
    assert answer.status_code == 400
    (detail,) = answer.json()["error"]["details"]
    assert detail["pointer"] == "header:X-Mock-Scenario"
    assert all(name in detail["message"] for name in SCENARIOS)


def test_each_scenario_is_listed_with_what_it_is(mock):
    listed = mock("GET", "/mock").json()
    assert {each["name"]: each["description"] for each in listed["scenarios"]} == {
        name: each.description for name, each in SCENARIOS.items()
    }
    assert (listed["session"], listed["scenario"], listed["now"]) == (mock.session, "busy", "2026-11-20T12:00:00Z")


def test_the_documentation_page_tells_of_each_scenario(mock):
    page = mock("GET", "/docs").text
    for name, scenario in SCENARIOS.items():
        assert f"<code>{name}</code>" in page
        assert scenario.description.split("`")[0].replace("'", "&#x27;") in page


def test_keys_are_listed_in_the_same_order_in_each_world(mock):
    for _ in range(6):
        mock("POST", "/mock/reset")
        listed = mock("GET", "/organization/keys").json()["items"]
        assert [key["name"] for key in listed] == ["first key", "mock"]
