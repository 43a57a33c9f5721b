"""Every status that the contract documents is reached over HTTP; nothing is promised that does not happen."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from sendmeter import store as stores
from sendmeter.contract import contract
from sendmeter.domain.caps import Caps
from sendmeter.store import Store
from tests.live import JSON, live_server

EMAIL = {"id": "1", "channel": "EMAIL"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE")


def client_of(server, **options):
    return server.organization(**options)[1]


def break_database(server):
    """Take a table away that every answer about usage needs."""
    server.store.write(lambda: server.store.execute("ALTER TABLE cycle_counters RENAME TO elsewhere"))


def read_while_broken(server):
    client = client_of(server)
    break_database(server)
    return client.usage()


def read_while_locked(server):
    return client_of(server, caps=Caps(enforcement="lock", messages=0)).usage()


def read_while_a_provider_owes(server):
    organization, client = server.organization()
    client.record({"id": "1", "channel": "SMS", "provider": "twilio"})
    since = server.clock() - timedelta(hours=2)
    server.store.write(
        lambda: stores.providers.failed(server.store, organization.number, "twilio", "20003", since),
    )
    return client.usage()


def record_without_the_scope(server):
    organization, _ = server.organization()
    return server.client(server.key(organization, "events:read").token).record(EMAIL)


def record_other_content(server):
    client = client_of(server)
    client.record(EMAIL)
    return client.record({**EMAIL, "quantity": 2})


def record_too_much(server):
    return client_of(server).record(EMAIL, headers=JSON, content=b" " * 1_048_577)


def record_plain_text(server):
    return client_of(server).record(EMAIL, headers={"content-type": "text/plain"})


def record_at_a_busy_server(server):
    token = client_of(server).token
    with live_server(server.store, server.clock, max_waiting=0) as busy:
        return busy.client(token).record(EMAIL)


def record_while_broken(server):
    client = client_of(server)
    break_database(server)
    return client.record(EMAIL)


def record_while_another_writes(server):
    token = client_of(server).token
    with closing(Store(server.store.url, busy_timeout_seconds=0.1)) as store, live_server(store, server.clock) as live:
        client = live.client(token)
        with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = client.record(EMAIL)
            other.execute("ROLLBACK")
        assert client.record(EMAIL).json()["accepted"] == 1, "what was answered with 503 was stored"
        return refused


def ready_with_a_newer_schema(server):
    insert = "INSERT INTO schema_migration (name, applied) VALUES ('9999_of_tomorrow', '2027-01-01 00:00:00')"
    server.store.write(lambda: server.store.execute(insert))
    return server.client().request("GET", "/health/ready")


PROVOKED = {
    ("usage.get", 200): lambda server: client_of(server).usage(),
    ("usage.get", 400): lambda server: client_of(server).usage("?costs=some"),
    ("usage.get", 401): lambda server: server.client().usage(),
    ("usage.get", 402): read_while_locked,
    ("usage.get", 500): read_while_broken,
    ("usage.get", 502): read_while_a_provider_owes,
    ("events.record", 200): lambda server: client_of(server).record(EMAIL),
    ("events.record", 400): lambda server: client_of(server).record(),
    ("events.record", 401): lambda server: server.client().record(EMAIL),
    ("events.record", 403): record_without_the_scope,
    ("events.record", 409): record_other_content,
    ("events.record", 413): record_too_much,
    ("events.record", 415): record_plain_text,
    ("events.record", 429): record_at_a_busy_server,
    ("events.record", 500): record_while_broken,
    ("events.record", 503): record_while_another_writes,
    ("health.live", 200): lambda server: server.client().request("GET", "/health/live"),
    ("health.live", 400): lambda server: server.client().request("GET", "/health/live?deep=yes"),
    ("health.ready", 200): lambda server: server.client().request("GET", "/health/ready"),
    ("health.ready", 400): lambda server: server.client().request("GET", "/health/ready?deep=yes"),
    ("health.ready", 503): ready_with_a_newer_schema,
}


def document_of(operation):
    return contract().document["paths"][operation.path][operation.method.lower()]


def test_a_documented_status_is_never_reached_or_a_reached_one_is_not_documented():
    documented = {(name, status) for name, operation in contract().operations.items() for status in operation.answers}
    assert set(PROVOKED) == documented


@pytest.mark.parametrize(("operation_id", "status"), PROVOKED, ids=str)
def test_a_documented_answer_has_another_status_media_type_or_header(operation_id, status, sqlite_server):
    answer = PROVOKED[operation_id, status](sqlite_server)
    assert answer.status_code == status, answer.text
    documented = contract().resolve(document_of(contract().operations[operation_id])["responses"][str(status)])
    assert [answer.headers["content-type"]] == list(documented["content"])
    for name, header in documented["headers"].items():
        schema = contract().resolve(contract().resolve(header)["schema"])
        text = answer.headers[name]
        assert contract().schemas.validator(schema).faults(int(text) if schema["type"] == "integer" else text) == []


def test_an_error_goes_by_the_code_of_another_status(sqlite_server):
    codes = {
        400: "invalid_request",
        401: "unauthorized",
        402: "usage_limit_exceeded",
        403: "forbidden",
        409: "conflict",
        413: "payload_too_large",
        415: "unsupported_media_type",
        429: "too_many_requests",
        500: "internal_error",
        502: "provider_error",
        503: "unavailable",
    }
    for status in (400, 401, 402, 403, 409, 413, 415, 429, 502, 503, 500):  # what breaks the database comes last
        provoke = next(PROVOKED[operation, code] for operation, code in PROVOKED if code == status)
        error = provoke(sqlite_server).json()["error"]
        assert error["code"] == codes[status]
        assert error["fix"], f"a {status} does not say what to do"


@pytest.mark.parametrize("provoke", [read_while_broken, record_while_broken])
def test_a_failure_tells_of_the_inside(provoke, sqlite_server, caplog):
    answer = provoke(sqlite_server)
    assert answer.status_code == 500
    assert answer.json()["error"] == {
        "code": "internal_error",
        "message": "The server failed to answer.",
        "fix": "Send the same request again; if it fails again, tell the operator the tracking id.",
    }
    told = f"{answer.text} {answer.headers}".lower()
    assert not re.search(r"cycle_counters|sqlite|peewee|python|traceback", told)


def test_a_provider_error_does_not_name_the_provider_and_its_code(sqlite_server):
    error = read_while_a_provider_owes(sqlite_server).json()["error"]
    assert (error["provider"], error["providerCode"]) == ("twilio", "20003")


def test_a_refusal_for_load_or_a_missing_key_lacks_its_header(sqlite_server):
    assert sqlite_server.client().usage().headers["www-authenticate"] == 'Bearer realm="sendmeter"'
    assert int(record_at_a_busy_server(sqlite_server).headers["retry-after"]) >= 1
    assert int(record_while_another_writes(sqlite_server).headers["retry-after"]) >= 1
    assert int(ready_with_a_newer_schema(sqlite_server).headers["retry-after"]) >= 1


@pytest.mark.parametrize("base_path", contract().base_paths)
@pytest.mark.parametrize("template", contract().document["paths"])
def test_a_method_is_refused_with_a_false_allow(template, base_path, sqlite_server):
    known = {method.upper() for method in contract().document["paths"][template]}
    expected = known | ({"HEAD"} if "GET" in known else set())
    path = base_path + re.sub(r"\{\w+\}", "x", template)
    client = client_of(sqlite_server)
    for method in METHODS:
        answer = client.request(method, path)
        if method in expected:
            assert answer.status_code not in (404, 405), (method, path)
        else:
            assert answer.status_code == 405, (method, path)
            assert answer.headers["allow"] == ", ".join(sorted(expected))
            assert method == "HEAD" or answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("base_path", contract().base_paths)
def test_a_base_path_answers_otherwise_than_the_other(base_path, sqlite_server):
    client = client_of(sqlite_server)
    recorded = client.request("POST", f"{base_path}/organization/usage/events", json={"events": [EMAIL]})
    assert recorded.json()["accepted"] == 1
    assert client.request("GET", f"{base_path}/organization/usage").json()["messageUsage"] == 1
    assert client.request("GET", f"{base_path}/health/ready").json() == {"status": "ok"}


def test_a_path_that_the_contract_does_not_have_is_answered_with_more_than_404(sqlite_server):
    for path in ("/", "/account", "/account/account/organization/usage", "/organization/usage/", "/organization"):
        answer = client_of(sqlite_server).request("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path


def test_a_get_and_its_head_have_different_headers(sqlite_server):
    client = client_of(sqlite_server)
    for operation in contract().operations.values():
        if operation.method == "GET":
            got, head = client.request("GET", operation.path), client.request("HEAD", operation.path)
            assert head.content == b""
            assert comparable(head) == comparable(got)


def comparable(answer):
    varying = {"x-tracking-id", "date"}
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in varying}
