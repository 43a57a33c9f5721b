"""Errors: each has one body, its tracking id leads to its cause in the log, and nothing of the inside gets out."""

import re
import sqlite3
import time
from contextlib import closing

import httpx
import pytest

from sendmeter.contract import contract
from sendmeter.errors import Conflict, Fault, InvalidRequest, MethodNotAllowed, ProviderFailed, Unavailable
from sendmeter.web.envelope import STATUSES, error_answer
from sendmeter.web.validation import answer_of
from tests.live import check_answer, run_json, served_process
from tests.web.raw import Line, check_refusal

TRACKING_ID = "trk_06dbn3k9vtfo5c9m4q2h8s1a7e"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+ (trk_[0-9a-v]{26}|-) .*")


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """`sendmeter serve` on SQLite, with the key of an organization."""
    folder = tmp_path_factory.mktemp("envelope")
    url = f"sqlite:///{folder}/test.db"
    token = run_json("organizations", "create", "--name", "Test", database_url=url)["apiKey"]
    # One client for all: making one costs more than many requests.
    with served_process(url, folder) as running, httpx.Client(timeout=60) as http:
        running.token, running.folder, running.http = token, folder, http
        yield running


def ask(process, method, path, **options):
    headers = {"authorization": f"Bearer {process.token}"}
    answer = process.http.request(method, process.url + path, headers=headers, **options)
    check_answer(method, path.partition("?")[0], answer)
    return answer


def lines_of(process, tracking_id, count=1):
    """Return a request's lines of the log, which are written after its answer: wait for as many as there should be."""
    deadline = time.monotonic() + 30
    while True:
        found = [line for line in process.log.read_text().splitlines() if tracking_id in line]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def send(process, data):
    with Line(process.url) as line:
        line.send(data)
        return line.reply()


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/organization/usage", {}, 200),
        ("GET", "/organization/usage?foo=bar", {}, 400),
        ("GET", "/nowhere", {}, 404),
        ("PUT", "/organization/usage", {}, 405),
        ("POST", "/organization/usage/events", {"content": b"{"}, 415),
        ("POST", "/organization/usage/events", {"json": {}}, 400),
        ("POST", "/organization/usage/events", {"content": b" " * 1_048_577}, 413),
        ("GET", "/health/ready", {}, 200),
        ("GET", "/docs", {}, 200),
    ],
)
def test_the_tracking_id_of_every_answer_is_in_the_log(process, method, path, options, status):
    answer = ask(process, method, path, **options)
    assert answer.status_code == status
    found = lines_of(process, answer.headers["x-tracking-id"])
    assert len(found) == 1
    assert f" {method} '{path.partition('?')[0]}' {status} " in found[0]
    assert LINE.fullmatch(found[0])


def test_the_tracking_id_of_what_is_not_http_is_in_the_log(process):
    reply = send(process, b"hello\r\n\r\n")
    assert lines_of(process, reply.header("x-tracking-id")) != []


def test_no_line_of_the_log_has_the_tracking_id_of_another_request(process):
    first = send(process, b"hello\r\n\r\n").header("x-tracking-id")
    before = len(lines_of(process, first))
    second = send(process, b"hello again\r\n\r\n").header("x-tracking-id")
    lines_of(process, second)
    assert len(lines_of(process, first, before)) == before


def test_no_two_requests_have_the_same_tracking_id(process):
    ids = [ask(process, "GET", "/health/live").headers["x-tracking-id"] for _ in range(50)]
    assert len(set(ids)) == 50


def test_a_failure_tells_its_caller_nothing_and_the_log_everything(process):
    with closing(sqlite3.connect(process.folder / "test.db")) as connection:
        connection.execute("ALTER TABLE cycle_counters RENAME TO hidden_table")
        try:
            answers = [
                ask(process, "GET", "/organization/usage"),
                ask(process, "POST", "/organization/usage/events", json={"events": [{"id": "f", "channel": "EMAIL"}]}),
            ]
        finally:
            connection.execute("ALTER TABLE hidden_table RENAME TO cycle_counters")
        assert connection.execute("SELECT count(*) FROM events WHERE event_id = 'f'").fetchone() == (0,)
    for answer in answers:
        assert answer.status_code == 500
        tracking_id = answer.headers["x-tracking-id"]
        assert answer.json() == {
            "trackingId": tracking_id,
            "error": {
                "code": "internal_error",
                "message": "The server failed to answer.",
                "fix": "Send the same request again; if it fails again, tell the operator the tracking id.",
            },
        }
        assert any(" ERROR " in line for line in lines_of(process, tracking_id, 2))
    assert process.log.read_text().count("no such table: cycle_counters") >= 2
    assert ask(process, "GET", "/organization/usage").status_code == 200


def test_no_key_is_ever_in_the_log(process):
    secret = process.token.removeprefix("sendmeter_sk_")
    lost = secret[::-1]
    process.http.get(f"{process.url}/organization/usage", headers={"authorization": f"Bearer sendmeter_sk_{lost}"})
    process.http.get(f"{process.url}/organization/usage", headers={"authorization": f"Basic {process.token}"})
    process.http.get(f"{process.url}/organization/usage?key={process.token}")
    answer = ask(process, "POST", "/organization/usage/events", json={"events": [], process.token: 1})
    assert len(lines_of(process, answer.headers["x-tracking-id"])) == 1
    log = process.log.read_text()
    assert secret not in log
    assert lost not in log


@pytest.mark.parametrize(
    "path",
    [
        b"/%0a2026-01-01 00:00:00,000 INFO sendmeter.access".replace(b" ", b"%20"),
        b"/%0d%0aforged",
        b"/%1b[2J%1b[31mforged",
        b"/%e2%80%a8forged",
        b"/%c2%85forged",
        b"/%e2%80%aeforged",
        b"/%7f%08%08forged",
    ],
)
def test_no_path_forges_a_line_of_the_log(process, path):
    # An answer first: what the server logs of its start may else come after what is measured here.
    first = ask(process, "GET", "/health/live")
    assert len(lines_of(process, first.headers["x-tracking-id"])) == 1
    before = len(process.log.read_bytes())
    reply = send(process, b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    check_refusal(reply, 404, "not_found")
    assert len(lines_of(process, reply.header("x-tracking-id"))) == 1
    added = process.log.read_bytes()[before:].decode()
    assert added.isascii()
    assert added.replace("\n", "").isprintable()
    assert re.fullmatch(LINE.pattern + r"\n", added), added


def test_a_refusal_that_the_contract_does_not_have_for_the_operation_is_a_failure(server):
    """Reading usage has no 404: an organization that is gone while its key still works is our own failure."""
    organization, client = server.organization()
    store = server.store
    if store.is_sqlite:
        store.execute("PRAGMA foreign_keys = 0")
    else:
        store.write(lambda: store.execute("ALTER TABLE accounts DROP CONSTRAINT accounts_organization"))
    statement = "DELETE FROM organizations WHERE organization_id = ?"
    store.write(lambda: store.execute(statement, (organization.number,)))
    for answer in (client.usage(), client.record({"id": "a", "channel": "EMAIL"})):
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        assert "organization" not in answer.text


@pytest.mark.parametrize(
    "error", [Unavailable("secret"), Conflict("secret"), RuntimeError("secret"), OSError("secret")]
)
def test_what_is_not_documented_says_nothing(error):
    answer = error_answer(error, TRACKING_ID, frozenset({200, 400, 500}))
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"internal_error" in answer.body


def test_every_refusal_has_a_status_and_a_body_that_the_contract_has():
    made = {
        MethodNotAllowed: MethodNotAllowed("no", allowed=("GET",)),
        ProviderFailed: ProviderFailed("no", provider="telnyx", provider_code="10009", fix="wait"),
    }
    schema = contract().schemas.component("ErrorResponse")
    for kind, status in STATUSES.items():
        answer = error_answer(made.get(kind) or kind("no", fix="do", faults=[Fault("/a", "is wrong")]), TRACKING_ID)
        assert answer.status == status
        assert schema.faults(httpx.Response(status, content=answer.body).json()) == []
        assert kind.code.encode() in answer.body


def test_an_error_with_more_than_a_hundred_details_shows_a_hundred():
    faults = [Fault(f"/events/{index}", "is wrong") for index in range(101)]
    answer = error_answer(InvalidRequest.of(faults), TRACKING_ID)
    assert answer.status == 400
    assert len(httpx.Response(400, content=answer.body).json()["error"]["details"]) == 100


def test_a_message_of_any_length_is_cut_to_what_the_contract_takes():
    answer = error_answer(InvalidRequest("a" * 5_000), TRACKING_ID)
    assert answer.status == 400
    assert len(httpx.Response(400, content=answer.body).json()["error"]["message"]) == 1_000


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest(""),
        InvalidRequest("no", fix="a" * 1_001),
        InvalidRequest("no", faults=[Fault("a" * 501, "is wrong")]),
    ],
)
def test_an_error_body_that_would_break_the_contract_is_a_failure(error):
    answer = error_answer(error, TRACKING_ID)
    assert answer.status == 500
    assert contract().schemas.component("ErrorResponse").faults(httpx.Response(500, content=answer.body).json()) == []


@pytest.mark.parametrize(
    ("value", "status"), [({"status": "fine"}, 200), ({}, 200), (None, 200), ({"status": "ok"}, 201)]
)
def test_an_answer_that_breaks_the_contract_is_never_written(value, status):
    with pytest.raises(AssertionError, match="contract"):
        answer_of(contract().operations["health.live"], value, status)


def test_a_handlers_answer_that_breaks_the_contract_is_a_failure_that_leaks_nothing(sqlite_server):
    organization, client = sqlite_server.organization()
    client.record({"id": "a", "channel": "SMS"})
    store = sqlite_server.store
    statement = "UPDATE cycle_counters SET pending = -7 WHERE organization_id = ?"
    store.write(lambda: store.execute(statement, (organization.number,)))
    answer = client.usage()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "pending" not in answer.text
    assert client.record({"id": "b", "channel": "EMAIL"}).status_code == 200
