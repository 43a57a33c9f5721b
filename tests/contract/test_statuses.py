"""Every status that the contract documents is reached over HTTP; nothing is promised that does not happen."""

import re
from contextlib import closing

import pytest

from sendmeter.contract import contract
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.contract.provoked_responses import CODES, EMAIL, REQUESTS, World, locked_server, newer_schema, provoked
from tests.live import Clock, live_server

PROVOKED = provoked()
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE")
# What breaks the server for who comes next; all else is done to an organization of its own.
HARMFUL = {name for name in PROVOKED if name[1] == 500} | {("health.ready", 503)}


@pytest.fixture(scope="module")
def lasting_server(tmp_path_factory):
    """A server over one database, for requests that change nothing that another test looks at."""
    with closing(Store(f"sqlite:///{tmp_path_factory.mktemp('statuses')}/test.db")) as store:
        upgrade(store)
        with live_server(store, Clock()) as live:
            yield live


@pytest.fixture
def suited_server(request, operation_id, status):
    """The lasting server, or a fresh one if it will be broken."""
    return request.getfixturevalue("sqlite_server" if (operation_id, status) in HARMFUL else "lasting_server")


def client_of(server, **options):
    return server.organization(**options)[1]


def document_of(operation):
    return contract().document["paths"][operation.path][operation.method.lower()]


def test_each_operation_has_a_request_that_shows_it_at_work():
    assert set(REQUESTS) == set(contract().operations)


@pytest.mark.parametrize(("operation_id", "status"), PROVOKED, ids=str)
def test_each_documented_answer_happens_with_its_status_media_type_and_headers(operation_id, status, suited_server):
    answer = PROVOKED[operation_id, status](suited_server)
    assert answer.status_code == status, answer.text
    documented = contract().resolve(document_of(contract().operations[operation_id])["responses"][str(status)])
    assert answer.headers.get_list("content-type") == list(documented.get("content", []))
    assert bool(answer.content) == ("content" in documented)
    for name, header in documented["headers"].items():
        schema = contract().resolve(contract().resolve(header)["schema"])
        text = answer.headers[name]
        assert contract().schemas.validator(schema).faults(int(text) if schema["type"] == "integer" else text) == []


def test_each_error_has_the_code_of_its_status(sqlite_server):
    for status in [*(code for code in CODES if code != 500), 500]:  # what breaks the database comes last
        provoke = next(PROVOKED[operation, code] for operation, code in PROVOKED if code == status)
        error = provoke(sqlite_server).json()["error"]
        assert error["code"] == CODES[status]
        assert error["fix"], f"a {status} does not say what to do"


def test_a_provider_error_names_the_provider_and_its_code(sqlite_server):
    error = PROVOKED["usage.history", 502](sqlite_server).json()["error"]
    assert (error["provider"], error["providerCode"]) == ("twilio", "20003")


def test_a_refusal_for_load_or_a_missing_key_has_its_header(sqlite_server):
    assert sqlite_server.client().usage().headers["www-authenticate"] == 'Bearer realm="sendmeter"'
    assert int(PROVOKED["events.record", 429](sqlite_server).headers["retry-after"]) >= 1
    assert int(PROVOKED["events.record", 503](sqlite_server).headers["retry-after"]) >= 1
    assert int(newer_schema(sqlite_server).headers["retry-after"]) >= 1


def test_what_was_answered_with_503_was_not_stored(sqlite_server):
    world = World.of(sqlite_server)
    with locked_server(sqlite_server) as (locked, unlock):
        client = locked.client(world.client.token)
        assert client.record(EMAIL).status_code == 503
        unlock()
        assert client.record(EMAIL).json()["accepted"] == 1


@pytest.mark.parametrize("base_path", contract().base_paths)
@pytest.mark.parametrize("template", contract().document["paths"])
def test_an_unknown_method_is_refused_with_the_allowed_ones(template, base_path, lasting_server):
    known = {method.upper() for method in contract().document["paths"][template]}
    expected = known | ({"HEAD"} if "GET" in known else set())
    # Nothing of that name is there: a method that is known is answered by its operation with a 404 of its own.
    path = base_path + re.sub(r"\{\w+\}", "x", template)
    client = client_of(lasting_server)
    for method in METHODS:
        answer = client.request(method, path)
        if method in expected:
            assert answer.status_code != 405, (method, path)
            assert answer.status_code != 404 or "no such path" not in answer.text
        else:
            assert answer.status_code == 405, (method, path)
            assert answer.headers["allow"] == ", ".join(sorted(expected))
            assert method == "HEAD" or answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("base_path", contract().base_paths)
def test_every_base_path_answers_alike(base_path, sqlite_server):
    client = client_of(sqlite_server)
    recorded = client.request("POST", f"{base_path}/organization/usage/events", json={"events": [EMAIL]})
    assert recorded.json()["accepted"] == 1
    assert client.request("GET", f"{base_path}/organization/usage").json()["messageUsage"] == 1
    assert client.request("GET", f"{base_path}/health/ready").json() == {"status": "ok"}


def test_a_get_and_its_head_have_the_same_headers(sqlite_server):
    world = World.of(sqlite_server)
    client = world.client
    for operation in contract().operations.values():
        if operation.method == "GET":
            path = REQUESTS[operation.operation_id][0].format(**world.names)
            got, head = client.request("GET", path), client.request("HEAD", path)
            assert head.content == b""
            assert comparable(head) == comparable(got)


def comparable(answer):
    varying = {"x-tracking-id", "date"}
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in varying}
