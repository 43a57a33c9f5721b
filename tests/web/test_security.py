"""Who may ask: without a key that works nobody learns or changes anything."""

import base64

import pytest

from sendmeter.services import keys
from tests.web.raw import check_refusal

RECORDED = {"id": "a", "channel": "EMAIL"}


def refused(answer, status, code, said):
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert said in answer.json()["error"]["message"]
    assert "sendmeter keys create" in answer.json()["error"]["fix"]


def asked(server, authorization):
    """Ask and record with an Authorization header as it is; give both answers."""
    client = server.client()
    headers = {} if authorization is None else {"authorization": authorization}
    return client.request("GET", "/organization/usage", headers=headers), client.record(RECORDED, headers=headers)


def test_who_shows_no_key_is_refused(shared_server):
    for answer in asked(shared_server, None):
        refused(answer, 401, "unauthorized", "no API key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="sendmeter"'


@pytest.mark.parametrize("scheme", ["Basic", "Token", "Digest", "Bearer,", "ApiKey", "Bearerx"])
def test_a_key_under_another_scheme_is_refused(shared_server, caller, scheme):
    for answer in asked(shared_server, f"{scheme} {caller.token}"):
        refused(answer, 401, "unauthorized", "not of the Bearer scheme")


def test_the_bare_key_without_a_scheme_is_refused(shared_server, caller):
    for answer in asked(shared_server, caller.token):
        refused(answer, 401, "unauthorized", "not of the Bearer scheme")


@pytest.mark.parametrize("form", ["bearer {}", "BEARER {}", "Bearer   {}"])
def test_the_scheme_is_read_as_rfc_7235_has_it(shared_server, caller, form):
    assert [answer.status_code for answer in asked(shared_server, form.format(caller.token))] == [200, 200]


def test_a_key_is_not_taken_from_anywhere_but_its_header(shared_server, caller):
    client = shared_server.client()
    elsewhere = [
        {"headers": {"x-api-key": caller.token}},
        {"headers": {"cookie": f"authorization={caller.token}"}},
        {"headers": {"proxy-authorization": f"Bearer {caller.token}"}},
        {"params": {"access_token": caller.token}},
    ]
    for options in elsewhere:
        refused(client.request("GET", "/organization/usage", **options), 401, "unauthorized", "no API key")


def changed(token, position):
    """Change one character of a token."""
    return token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        lambda token: changed(token, len("sendmeter_sk_") + 20),
        lambda token: changed(token, len("sendmeter_sk_")),
        lambda token: changed(token, 0),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token + "=",
        lambda token: token.upper(),
        lambda token: token.removeprefix("sendmeter_sk_"),
        lambda token: f"{token} {token}",
    ],
)
def test_a_token_that_is_not_a_key_to_the_last_character_is_refused(caller, change):
    unknown(caller, change(caller.token))


@pytest.mark.parametrize(
    "token",
    [
        "sendmeter_sk_",
        "sendmeter_sk_" + base64.urlsafe_b64encode(b"\xff" * 40).decode().rstrip("="),
        "sendmeter_sk_" + "é" * 54,
        "sendmeter_sk_" + "!" * 54,
        "' OR 1=1 --",
    ],
)
def test_what_never_was_a_key_is_refused(caller, token):
    unknown(caller, token)


def test_a_token_that_is_empty_is_told_to_be_missing(caller):
    reply = caller.send(caller.head("GET /organization/usage").replace(caller.token.encode(), b""))
    check_refusal(reply, 401, "unauthorized")
    assert "nothing stands behind Bearer" in reply.json()["error"]["message"]


def unknown(caller, token):
    head = caller.head("GET /organization/usage").replace(caller.token.encode(), token.encode("latin-1"))
    reply = caller.send(head)
    check_refusal(reply, 401, "unauthorized")
    assert reply.json()["error"]["message"] == "The API key is not known."


def test_no_other_spelling_of_a_key_is_the_key(caller):
    """The last character of base 64 has bits that decoding passes over: the hash is of the text."""
    spellings = 0
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        head = caller.head("GET /organization/usage").replace(
            caller.token.encode(), (caller.token[:-1] + last).encode()
        )
        spellings += caller.send(head).status == 200
    assert spellings == 1


def test_a_revoked_key_stops_working_at_once(server):
    organization, client = server.organization()
    made = server.key(organization, "events:write")
    gateway = server.client(made.token)
    assert gateway.record(RECORDED).status_code == 200
    keys.revoke(server.store, made.key.key_id, server.clock(), by="test")
    refused(gateway.usage(), 401, "unauthorized", "was revoked")
    refused(gateway.record({"id": "b", "channel": "EMAIL"}), 401, "unauthorized", "was revoked")
    assert client.usage().json()["messageUsage"] == 1


def test_a_key_stops_working_at_the_instant_of_its_expiry(server):
    organization, client = server.organization()
    start = server.clock()
    server.clock.advance(hours=1)
    made = server.key(organization, "events:write", expires_at=server.clock())
    server.clock.now = start
    gateway = server.client(made.token)
    server.clock.advance(hours=1, microseconds=-1)
    assert gateway.record(RECORDED).status_code == 200
    server.clock.advance(microseconds=1)
    refused(gateway.usage(), 401, "unauthorized", "has expired")
    refused(gateway.record({"id": "b", "channel": "EMAIL"}), 401, "unauthorized", "has expired")
    assert client.usage().json()["messageUsage"] == 1


@pytest.mark.parametrize("scopes", [[], ["events:read"], ["operator", "holds:write"]])
def test_a_key_without_the_scope_may_read_usage_and_record_nothing(shared_server, scopes):
    organization, client = shared_server.organization()
    reader = shared_server.client(shared_server.key(organization, *scopes).token)
    answer = reader.record(RECORDED)
    refused(answer, 403, "forbidden", "needs a key with the scope events:write")
    assert reader.usage().json() == client.usage().json()
    assert client.usage().json()["messageUsage"] == 0


def test_a_key_sees_and_changes_only_its_own_organization(server):
    _, one = server.organization()
    _, other = server.organization()
    for client, quantity in ((one, 2), (other, 5)):
        recorded = client.record({"id": "same", "channel": "EMAIL", "quantity": quantity})
        assert recorded.json()["accepted"] == 1, "an id is unique within an organization, not beyond it"
    assert [client.usage().json()["messageUsage"] for client in (one, other)] == [2, 5]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs", "/openapi.json", "/openapi.yaml"])
@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic eDp5"])
def test_what_is_public_looks_at_no_key(shared_server, path, authorization):
    headers = {} if authorization is None else {"authorization": authorization}
    assert shared_server.client().request("GET", path, headers=headers).status_code == 200
