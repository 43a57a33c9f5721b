"""What a client is told about usage."""


def test_a_fresh_organization_has_used_nothing(server):
    _, client = server.organization()
    answer = client.usage()
    assert answer.status_code == 200
    assert answer.json() == {
        "messageUsage": 0,
        "budgetUsage": 0,
        "costSms": 0,
        "costCall": 0,
        "channelUsages": dict.fromkeys(["EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK", "SMS", "CALL"], 0),
        "pendingCosts": 0,
        "billingCycleStart": "2026-11-01T00:00:00Z",
        "billingCycleEnd": "2026-12-01T00:00:00Z",
    }


def test_what_is_recorded_is_in_the_next_answer(server):
    _, client = server.organization()
    recorded = client.record(
        {"id": "1", "channel": "EMAIL", "quantity": 3},
        {"id": "2", "channel": "SMS", "cost": "0.0109"},
        {"id": "3", "channel": "CALL", "cost": 0.1},
        {"id": "4", "channel": "SMS"},
    )
    assert recorded.json()["accepted"] == 4
    usage = client.usage().json()
    assert usage["messageUsage"] == 3
    assert '"budgetUsage":0.1109,"costSms":0.0109,"costCall":0.1,' in client.usage().text
    assert usage["channelUsages"] == {
        "EMAIL": 3, "INAPP_WEB": 0, "WEB_PUSH": 0, "PUSH": 0, "SLACK": 0, "SMS": 2, "CALL": 1,
    }  # fmt: skip
    assert usage["pendingCosts"] == 1
