"""Keys over HTTP: made with at most the scopes of who makes them, listed without the secret, revoked at once."""

import pytest

from sendmeter.domain.keys import SCOPES
from sendmeter.services import audit
from tests.live import NOON

PATH = "/organization/keys"
WITHOUT_OPERATOR = [scope for scope in SCOPES if scope != "operator"]


def made(client, **members):
    return client.request("POST", PATH, json={"name": "made", **members})


def test_a_key_that_is_made_works_with_its_scopes_until_it_is_revoked(server):
    _, client = server.organization()
    answer = made(client, scopes=["events:write"])
    assert answer.status_code == 201
    key = answer.json()
    gateway = server.client(key["apiKey"])
    assert gateway.record({"id": "1", "channel": "EMAIL"}).status_code == 200
    assert gateway.request("GET", PATH).status_code == 403
    for _ in range(2):
        answer = client.request("DELETE", f"{PATH}/{key['keyId']}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert gateway.usage().status_code == 401
    assert client.usage().json()["messageUsage"] == 1


def test_a_key_that_expires_stops_at_that_instant(server):
    _, client = server.organization()
    key = made(client, expiresAt="2026-11-20T12:00:01Z").json()
    reader = server.client(key["apiKey"])
    assert (key["expiresAt"], key["scopes"]) == ("2026-11-20T12:00:01Z", [])
    assert reader.usage().status_code == 200
    server.clock.advance(seconds=1)
    assert reader.usage().status_code == 401
    refused = made(client, expiresAt="2026-11-20T12:00:01Z")
    assert refused.json()["error"]["details"] == [{"pointer": "/expiresAt", "message": "is past"}]


def test_keys_are_listed_oldest_first_and_never_with_their_secret(server):
    _, client = server.organization()
    server.clock.advance(seconds=1)
    key = made(client, name="billing page", scopes=["events:read"]).json()
    answer = client.request("GET", PATH)
    assert [each["name"] for each in answer.json()["items"]] == ["first key", "billing page"]
    assert key["apiKey"] not in answer.text
    listed = answer.json()["items"][1]
    assert listed == {name: value for name, value in key.items() if name != "apiKey"}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_gives_no_scope_that_it_has_not(sqlite_server, scope):
    organization, _ = sqlite_server.organization()
    others = [each for each in SCOPES if each not in (scope, "keys:write")]
    client = sqlite_server.client(sqlite_server.key(organization, "keys:write", *others).token)
    wanted = "keys:write" if scope == "keys:write" else scope
    answer = made(client, scopes=[*others, wanted])
    if scope == "keys:write":
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert scope in answer.json()["error"]["message"]
        assert len(client.request("GET", PATH).json()["items"]) == 2


def test_the_first_key_of_an_organization_cannot_make_an_operator(sqlite_server):
    _, client = sqlite_server.organization()
    assert made(client, scopes=["operator"]).status_code == 403
    assert made(client, scopes=WITHOUT_OPERATOR).status_code == 201


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": " key"}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "turn\u202earound"}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": ["events:read", "events:read"]}, "/scopes"),
        ({"expiresAt": "tomorrow"}, "/expiresAt"),
        ({"organizationId": "org_1"}, "/organizationId"),
    ],
)
def test_a_key_that_cannot_be_made_is_refused_where_it_is_wrong(sqlite_server, members, pointer):
    _, client = sqlite_server.organization()
    answer = made(client, **members)
    assert answer.status_code == 400
    assert {detail["pointer"] for detail in answer.json()["error"]["details"]} == {pointer}
    assert len(client.request("GET", PATH).json()["items"]) == 1


def test_who_made_and_revoked_a_key_is_in_the_audit_log(server):
    organization, client = server.organization()
    first = client.request("GET", PATH).json()["items"][0]["keyId"]
    key = made(client, scopes=["events:read"]).json()["keyId"]
    client.request("DELETE", f"{PATH}/{key}")
    client.request("DELETE", f"{PATH}/{key}")
    logged = audit.newest(server.store, organization.number, 10)
    told = {"keyId": key, "name": "made", "scopes": ["events:read"]}
    mine = [(each.action, each.by, each.details, each.recorded_at) for each in logged if each.by == first]
    assert sorted(mine, key=lambda each: each[0]) == [
        ("key.created", first, told, NOON),
        ("key.revoked", first, told, NOON),
    ]
