"""API8, security misconfiguration: what every answer says of itself, and what none says of us."""

import re
import time

import pytest

from sendmeter.cli.serve import configured
from sendmeter.contract import contract
from tests.contract.provoked_responses import World, break_database, locked_server
from tests.contract.signing import signed
from tests.live import live_server, run_json, served_process
from tests.proof.attack.estate import OPERATIONS, head, request_of
from tests.web.raw import EMAIL, EVENTS, Line

PAGES = ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png",
         "/openapi.json", "/openapi.yaml"]  # fmt: skip
TELLING = (
    "server",
    "x-powered-by",
    "via",
    "x-aspnet-version",
    "x-runtime",
    "x-version",
    "set-cookie",
    "etag",
    "location",
)
INSIDE = re.compile(
    r"traceback|\.py\b|line \d+, in|python|uvicorn|flask|werkzeug|connexion|peewee|starlette|sqlite|psycopg|postgres",
    re.IGNORECASE,
)
FAILED = {
    "code": "internal_error",
    "message": "The server failed to answer.",
    "fix": "Send the same request again; if it fails again, tell the operator the tracking id.",
}


def check(reply, *, is_page=False):
    """Check the headers of an answer."""
    assert reply.header("x-content-type-options") == "nosniff"
    assert reply.header("referrer-policy") == "no-referrer"
    assert reply.header("cache-control") == "no-store" or is_page
    assert reply.header("cache-control")
    assert re.fullmatch(r"trk_[0-9a-v]{26}", reply.header("x-tracking-id"))
    names = [name for name, _ in reply.headers]
    assert len(names) == len(set(names)), "no header is there twice"
    assert not set(names) & set(TELLING), names
    assert not any(name.startswith("access-control-") for name in names), "the server answers no other origin (CORS)"
    assert not any(INSIDE.search(value) for _, value in reply.headers), reply.headers
    if reply.body:
        assert reply.header("content-type")
    if not is_page:
        assert (reply.header("content-type") or "application/json") == "application/json"
        assert not INSIDE.search(reply.body.decode()), reply.body


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_each_answer_has_its_headers_and_reveals_nothing_of_the_inside(shared_server, target, operation_id):
    """Each operation, asked rightly and wrongly; from a page of another origin, too."""
    method, path, body = request_of(operation_id, target.names)
    key = f"Authorization: Bearer {target.client.token}"
    origin = ["Origin: https://evil.example", "Referer: https://evil.example/", "Sec-Fetch-Site: cross-site"]
    joint = "&" if "?" in path else "?"
    for data in (
        head(method, path, key, body=body),
        head(method, path, *origin, key, body=body),
        head(method, path, body=body),
        head(method, f"{path}{joint}wrong=1", key, body=body),
        head(method, path, key, body=b"{"),
        head(method, path, key, body=b"\xff" * 10),
        head("PATCH" if method != "PATCH" else "PUT", path, key),
        head(
            "OPTIONS",
            path,
            *origin,
            f"Access-Control-Request-Method: {method}",
            "Access-Control-Request-Headers: authorization",
        ),
        head(method, path, key, "Content-Length: 1048577"),
        head(method, f"{path}/nowhere", key),
        head(method, path, "Authorization: Bearer wrong", body=body),
    ):
        with Line(shared_server.url) as line:
            line.send(data)
            check(line.reply())


@pytest.mark.parametrize("path", PAGES)
def test_no_page_lets_others_script_or_frame_it(caller, path):
    reply = caller.send(caller.head(f"GET {path}", "Origin: https://evil.example"))
    assert reply.status == 200
    check(reply, is_page=True)
    policy = dict(each.strip().split(" ", 1) for each in reply.header("content-security-policy").split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy.get("script-src", policy["default-src"]) == "'self'", "no script stands within a page"
    assert not re.search(r"https?:|//|\*|unsafe-eval", reply.header("content-security-policy"))
    if path == "/docs":
        page = reply.body.decode()
        assert not re.search(r"<script(?! src=\"docs/)|\son\w+=|https?://", page)


@pytest.mark.parametrize(
    "data",
    [b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /health/live HTTP/1.1\r\nHost a\r\n\r\n",
     b"GET /" + b"a" * 70_000, b"POST /organization/usage/events HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_an_answer_to_what_is_not_http_has_the_security_headers(caller, data):
    reply = caller.send(data)
    assert reply.status == 400
    check(reply)


def test_a_failure_reveals_nothing_of_the_inside(sqlite_server):
    """Every operation that may fail, with the tables gone that it needs: the body says nothing, not even which."""
    world = World.of(sqlite_server)
    break_database(sqlite_server)
    for operation_id in [name for name, operation in OPERATIONS.items() if 500 in operation.answers]:
        method, path, body = request_of(operation_id, world.names)
        proof = signed(body, sqlite_server.clock()) if isinstance(body, bytes) else {}
        proof.pop("content-type", None)  # `head` writes it
        lines = [f"Authorization: Bearer {world.client.token}", *(f"{name}: {value}" for name, value in proof.items())]
        with Line(sqlite_server.url) as line:
            line.send(head(method, path, *lines, body=body))
            reply = line.reply()
        check(reply)
        assert (reply.status, reply.json()["error"]) == (500, FAILED), operation_id
        assert not re.search(r"counters|audit", str(reply), re.IGNORECASE)


def test_an_answer_of_a_server_without_time_or_database_has_the_security_headers(sqlite_server):
    world = World.of(sqlite_server)
    data = head("POST", EVENTS, f"Authorization: Bearer {world.client.token}", body=EMAIL)
    with live_server(sqlite_server.store, sqlite_server.clock, max_waiting=0) as busy, Line(busy.url) as line:
        line.send(data)
        reply = line.reply()
    assert reply.status == 429
    check(reply)
    with locked_server(sqlite_server) as (locked, _), Line(locked.url) as line:
        line.send(data)
        reply = line.reply()
    assert reply.status == 503
    check(reply)


@pytest.mark.parametrize(
    "name",
    ["Host", "X-Forwarded-Host", "Forwarded", "X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Port",
     "X-Host", "True-Client-IP", "X-Forwarded-Server", "X-Client-IP", "Client-IP"],
)  # fmt: skip
def test_no_answer_follows_what_a_client_says_of_itself(shared_server, target, name):
    """Links are made from `SENDMETER_PUBLIC_URL` alone; nobody is let in for where he says that he comes from."""
    path, key = "/organization/providers", f"Authorization: Bearer {target.client.token}"
    with Line(shared_server.url) as line:
        line.send(head("GET", path, key))
        honest = line.reply().body
        strange = () if name == "Host" else ("a@b", "\x80")
        for value in ("evil.example", "evil.example:1", "127.0.0.1", "[::1]", "a,b", "*", "", *strange):
            line.send(head("GET", path, key, f"{name}: {value}"))
            told = line.reply()
            assert told.body == honest
            assert "evil" not in str(told)
            line.send(head("GET", path, f"{name}: {value}"))
            assert line.reply().status == 401


def test_a_server_listens_on_loopback_unless_configured_otherwise(tmp_path):
    url = f"sqlite:///{tmp_path}/test.db"
    run_json("organizations", "create", "--name", "Test", database_url=url)
    with served_process(url, tmp_path) as process:
        assert process.url.startswith("http://127.0.0.1:")
        with Line(process.url) as line:
            line.send(head("GET", "/organization/usage", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"))
            reply = line.reply()
        check(reply)
        deadline = time.monotonic() + 30
        while reply.header("x-tracking-id") not in process.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "203.0.113.9" not in process.log.read_text()


def test_forwarding_headers_are_not_read():
    assert configured(object()).proxy_headers is False


def test_the_contract_does_not_reveal_which_software_answers():
    told = contract().json_bytes.decode()
    assert not re.search(r"uvicorn|flask|werkzeug|connexion|peewee|starlette|psycopg|python/", told, re.IGNORECASE)
