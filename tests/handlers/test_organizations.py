"""Organizations over HTTP: made, found and changed by an operator whose own key came from the command line."""

import pytest

from sendmeter.services import audit
from sendmeter.services.organizations import FIRST_KEY_SCOPES

PATH = "/organizations"


@pytest.fixture
def operator(server):
    organization, _ = server.organization()
    return server.client(server.key(organization, "operator").token)


def test_an_organization_that_is_made_counts_from_its_start_with_its_first_key(server, operator):
    limits = {"messageCap": 10, "budgetCap": 99.95, "channelCaps": {"SMS": 3}, "enforcement": "lock"}
    sent = {"name": "Zoë & Söhne", "anchorDay": 15, "timezone": "America/New_York", "limits": limits}
    answer = operator.request("POST", PATH, json={**sent, "startsAt": "2026-01-02T00:00:00Z"})
    assert answer.status_code == 201
    made = answer.json()
    assert sent.items() <= made.items()
    assert (made["startsAt"], made["createdAt"]) == ("2026-01-02T00:00:00Z", "2026-11-20T12:00:00Z")
    client = server.client(made["apiKey"])
    assert client.usage().json()["billingCycleStart"] == "2026-11-15T05:00:00Z"
    assert client.request("GET", "/organization/limits").json()["budgetCap"] == 99.95
    keys = client.request("GET", "/organization/keys").json()["items"]
    assert [(key["name"], key["scopes"], key["accountId"]) for key in keys] == [
        ("first key", list(FIRST_KEY_SCOPES), made["accountId"])
    ]
    found = operator.request("GET", f"{PATH}/{made['organizationId']}").json()
    assert found == {name: value for name, value in made.items() if name not in ("accountId", "apiKey")}
    assert made["apiKey"] not in operator.request("GET", PATH).text


def test_what_is_left_out_has_its_default(operator):
    made = operator.request("POST", PATH, json={"name": "Plain"}).json()
    assert (made["anchorDay"], made["timezone"], made["limits"]) == (1, "UTC", {"enforcement": "block"})
    assert made["startsAt"] == "2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    ("members", "pointer", "said"),
    [
        ({"timezone": "Europe/Berln"}, "/timezone", "is not an IANA time zone"),
        ({"timezone": "../../etc/passwd"}, "/timezone", ""),
        ({"anchorDay": 32}, "/anchorDay", "is more than 31"),
        ({"anchorDay": 1.0}, "/anchorDay", "is not an integer"),
        ({"startsAt": "2026-11-20T12:00:01Z"}, "/startsAt", "is in the future"),
        ({"startsAt": "1999-12-31T23:59:59Z"}, "/startsAt", "is before 2000-01-01"),
        ({"startsAt": "0001-01-01T00:00:00+23:00"}, "/startsAt", ""),
        ({"limits": {"budgetCap": 0.0000000001}}, "/limits/budgetCap", "more than nine decimals"),
        ({"limits": {"channelCaps": {"FAX": 1}}}, "/limits/channelCaps/FAX", "is not known here"),
        ({"name": "\u202e"}, "/name", ""),
    ],
)
def test_an_organization_that_cannot_be_is_refused_where_it_is_wrong(operator, members, pointer, said):
    before = len(operator.request("GET", PATH).json()["items"])
    answer = operator.request("POST", PATH, json={"name": "Made", **members})
    assert answer.status_code == 400
    (detail,) = {each["pointer"]: each for each in answer.json()["error"]["details"]}.values()
    assert detail["pointer"] == pointer
    assert said in detail["message"]
    assert len(operator.request("GET", PATH).json()["items"]) == before


def test_another_anchor_counts_from_the_end_of_the_running_cycle_on(server, operator):
    organization, client = server.organization()
    path = f"{PATH}/{organization.organization_id}"
    changed = operator.request("PATCH", path, json={"anchorDay": 15, "timezone": "Europe/Berlin"}).json()
    assert (changed["anchorDay"], changed["timezone"]) == (1, "UTC")
    following = {"anchorDay": 15, "timezone": "Europe/Berlin", "startsAt": "2026-12-01T00:00:00Z"}
    assert changed["nextAnchor"] == following
    assert client.usage().json()["billingCycleEnd"] == "2026-12-01T00:00:00Z"
    server.clock.advance(days=11)
    usage = client.usage().json()
    assert (usage["billingCycleStart"], usage["billingCycleEnd"]) == ("2026-12-01T00:00:00Z", "2027-01-14T23:00:00Z")
    found = operator.request("GET", path).json()
    assert (found["anchorDay"], found["timezone"], "nextAnchor" in found) == (15, "Europe/Berlin", False)


def test_a_change_that_is_taken_back_before_it_counts_never_was(server, operator):
    organization, _ = server.organization()
    path = f"{PATH}/{organization.organization_id}"
    operator.request("PATCH", path, json={"anchorDay": 15})
    assert "nextAnchor" not in operator.request("PATCH", path, json={"anchorDay": 1}).json()


def test_what_is_not_named_stays_and_each_change_is_in_the_audit_log(server, operator):
    organization, _ = server.organization()
    path = f"{PATH}/{organization.organization_id}"
    operator.request("PATCH", path, json={"limits": {"messageCap": 5}})
    changed = operator.request("PATCH", path, json={"name": "Renamed"}).json()
    assert (changed["name"], changed["limits"]) == ("Renamed", {"messageCap": 5, "enforcement": "block"})
    operator.request("PATCH", path, json={"name": "Renamed"})
    logged = [each for each in audit.newest(server.store, organization.number, 10) if each.by.startswith("key_")]
    assert sorted(each.action for each in logged) == ["limits.changed", "organization.changed"]
    limits = next(each for each in logged if each.action == "limits.changed")
    assert limits.details == {
        "before": {"enforcement": "block"},
        "after": {"messageCap": 5, "enforcement": "block"},
    }


def test_nothing_to_change_is_refused(operator, server):
    organization, _ = server.organization()
    answer = operator.request("PATCH", f"{PATH}/{organization.organization_id}", json={})
    assert answer.status_code == 400
