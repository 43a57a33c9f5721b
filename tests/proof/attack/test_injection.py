"""What is sent stays what it is: it is no line of the log, no SQL, no page; and no key, secret or body is in the log.

The server is a process that logs all that it can (`SENDMETER_LOG_LEVEL=debug`); its standard error is read.
"""

import ast
import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from sendmeter import store
from sendmeter.settings import Settings
from sendmeter.startup import configure_logging
from sendmeter.web.tracking import LineFormatter
from tests.cli.processes import wait_until
from tests.live import SECRETS_KEY, run_json, served_process
from tests.proof.attack.estate import rows
from tests.web.raw import EVENTS, Line

# A record's first line; what belongs to it stands on lines that begin with spaces.
FIRST = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ \S+ (trk_[0-9a-v]{26}|-) .*")
FORGED = "2026-01-01 00:00:00,000 ERROR sendmeter.access - forged"
BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\x1b[2J",
    "\x1b]0;",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
    "\x9b31m",
    "\x00",
    "\x08",
]
PAYLOADS = [
    "'; DROP TABLE events; --", "' OR 1=1 --", "\" OR \"\"=\"", "1); DELETE FROM api_keys; --", "%s%n%d{}",
    "${jndi:ldap://a/b}", "{{7*7}}", "#{7*7}", "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>",
    "$(reboot)", "`reboot`", "| reboot", "../../../etc/passwd", "=HYPERLINK(\"a\")", "%", "_", "\\", "\\'", "?", ":1",
    "$1", "\U0001f600", "\u202e", "None", "NULL", "NaN",
]  # fmt: skip


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """`sendmeter serve` that logs all that it can, with an organization's key that may do everything but operate."""
    folder = tmp_path_factory.mktemp("injection")
    url = f"sqlite:///{folder}/test.db"
    token = run_json("organizations", "create", "--name", "Test", database_url=url)["apiKey"]
    environment = {"SENDMETER_LOG_LEVEL": "debug", "SENDMETER_SECRETS_KEY": SECRETS_KEY}
    with served_process(url, folder, environment=environment) as running, httpx.Client(timeout=60) as http:
        http.headers["authorization"] = f"Bearer {token}"
        running.token, running.folder, running.http = token, folder, http
        yield running


def ask(process, method, path, **options):
    answer = process.http.request(method, process.url + path, **options)
    wait_until(lambda: answer.headers["x-tracking-id"] in process.log.read_text())
    return answer


def log_of(process):
    """Return the log, but for what tells users of its start."""
    return "".join(line for line in process.log.read_text().splitlines(keepends=True) if " listens on http" not in line)


def check_lines(process):
    """Check that each line begins a record, or belongs to one, and has nothing that a terminal would obey."""
    for line in log_of(process).removesuffix("\n").split("\n"):
        assert FIRST.fullmatch(line) or line.startswith("    "), line
        assert line.isprintable(), ascii(line)
        assert "forged" not in line or not line.startswith(FORGED[:23])


def send(process, data):
    with Line(process.url) as line:
        line.send(data)
        reply = line.reply()
    wait_until(lambda: reply.header("x-tracking-id") in process.log.read_text())
    return reply


@pytest.mark.parametrize("broken", BREAKS, ids=ascii)
def test_no_line_of_the_log_can_be_forged(process, broken):
    text = f"a{broken}{FORGED}"
    key, quoted, raw = f"Authorization: Bearer {process.token}".encode(), quote(text, safe=""), text.encode("utf-8")
    for start in (
        f"GET /{quoted}",
        f"GET {EVENTS}/{quoted}",
        f"GET {EVENTS}?cursor={quoted}",
        f"PATCH {EVENTS}/{quoted}",
    ):
        assert send(process, start.encode() + b" HTTP/1.1\r\nHost: a\r\n" + key + b"\r\n\r\n").status in (400, 404, 405)
    ask(process, "POST", EVENTS, json={"events": [{"id": text, "channel": text, "metadata": {text: text}}], text: text})
    ask(process, "POST", "/organization/keys", json={"name": text, "scopes": [text]})
    for name in (b"User-Agent", b"X-Forwarded-For", b"Authorization", b"Content-Type", b"X-Tracking-Id", b"Host", raw):
        send(
            process,
            b"POST %s HTTP/1.1\r\nHost: a\r\n%s: %s\r\nContent-Length: 0\r\n\r\n" % (EVENTS.encode(), name, raw),
        )
    check_lines(process)


def test_a_failure_is_one_record_of_the_log(process):
    """What was raised is written on lines of its own, each of which can be told from the beginning of a record."""
    with closing(sqlite3.connect(process.folder / "test.db")) as connection:
        connection.execute("ALTER TABLE cycle_counters RENAME TO elsewhere")
        try:
            assert ask(process, "GET", "/organization/usage").status_code == 500
        finally:
            connection.execute("ALTER TABLE elsewhere RENAME TO cycle_counters")
    wait_until(lambda: "no such table: cycle_counters" in process.log.read_text())
    check_lines(process)


@pytest.mark.parametrize("broken", BREAKS, ids=ascii)
def test_no_exception_can_forge_a_record(broken):
    """Whatever a library says, of what was sent perhaps."""
    try:
        raise ValueError(f"a{broken}{FORGED}")  # noqa: TRY301 - it is to have a traceback
    except ValueError as error:
        given = (type(error), error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "a%s%s", (broken, FORGED), given)
    lines = LineFormatter("%(message)s").format(record).split("\n")
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
    assert not any(line.startswith(FORGED[:10]) for line in lines)


def test_no_key_secret_or_body_is_in_the_log(process):
    lost = process.token[::-1].replace("_ks_retemdnes", "")
    shown = {
        "the key": process.token.removeprefix("sendmeter_sk_"),
        "a key that is none": lost,
        **{
            name: f"canary{number:04}"
            for number, name in enumerate(("id", "note", "name", "reason", "secret", "query", "header"))
        },
    }
    full = f"sendmeter_sk_{lost}"
    event = {"id": shown["id"], "channel": "SMS", "metadata": {"note": shown["note"]}}
    asked = [
        ask(process, "POST", EVENTS, json={"events": [event]}),
        ask(process, "POST", EVENTS, json={"events": [{**event, "quantity": 2}]}),
        ask(process, "POST", EVENTS, json={"events": [{**event, "quantity": 0}], shown["note"]: 1}),
        ask(process, "POST", "/organization/keys", json={"name": shown["name"]}),
        ask(process, "POST", "/organization/providers", json={
            "provider": "twilio", "accountSid": f"AC{0:032}", "authToken": shown["secret"]
        }),
        ask(process, "GET", f"/organization/usage?key={process.token}&a={shown['query']}"),
        ask(process, "GET", "/organization/usage", headers={"authorization": f"Bearer {full}"}),
        ask(process, "GET", "/organization/usage", headers={"x-note": shown["header"]}),
        ask(process, "GET", "/organization/usage", headers={"authorization": f"Basic {full}"}),
        # Who takes the key for its id.
        ask(process, "DELETE", f"/organization/keys/{process.token}"),
        ask(process, "GET", f"/{process.token}/{full}"),
        ask(process, "GET", f"{EVENTS}/{full}?source={full}"),
        ask(process, "PUT", f"{EVENTS}/{shown['id']}x/{full}"),
    ]  # fmt: skip
    assert [answer.status_code for answer in asked[:6]] == [200, 409, 400, 201, 201, 400]
    made = asked[3].json()["apiKey"]
    log = log_of(process)
    assert {name for name, text in shown.items() if text in log} <= {"id"}
    assert made.removeprefix("sendmeter_sk_") not in log
    # Of an event's id only that a path had it.
    assert all(" sendmeter.access " in line for line in log.splitlines() if shown["id"] in line)
    assert not re.search(r"[0-9a-f]{64}", log), "the hash of a key"
    check_lines(process)


def test_the_log_has_no_sql_at_its_most_verbose():
    levels = {name: logging.getLogger(name).level for name in ("peewee", "httpcore", "httpx")}
    root, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    try:
        configure_logging(Settings(log_level="debug"))
        for name in ("peewee", "peewee.pool", "httpcore.http11", "httpcore.connection", "httpx"):
            assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name
    finally:
        logging.getLogger().setLevel(root)
        logging.getLogger().handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def test_what_is_sent_is_stored_unchanged_and_never_read_as_sql(server):
    """Wherever a text may be anything, it comes back as it was sent, and nothing else is there or gone."""
    organization, client = server.organization()
    server.organization()
    before = rows(server.store)
    for number, payload in enumerate(PAYLOADS):
        visible = {"source": payload} if payload.isascii() and payload.isprintable() and " " not in payload else {}
        event = {"id": f"e{number}", "channel": "EMAIL", "metadata": {payload: payload}, **visible}
        assert client.record(event).json()["accepted"] == 1, payload
        path = f"{EVENTS}/e{number}"
        assert client.request("GET", path, params=visible).json()["metadata"] == {payload: payload}
        voided = client.request("POST", f"{path}/void", params=visible, json={"reason": payload}).json()
        assert voided["corrections"][0]["reason"] == payload
        named = client.request("POST", "/organization/keys", json={"name": payload})
        assert (named.status_code, named.json().get("name", payload)) in {(201, payload), (400, payload)}
    after = rows(server.store)
    grown = {table for table, lines in before.items() if len(lines) != len(after[table])}
    assert grown == {"events", "corrections", "cycles", "cycle_counters", "day_counters", "api_keys", "audit_log"}
    assert len(after["events"]) == len(after["corrections"]) == len(PAYLOADS)
    assert client.usage().json()["messageUsage"] == 0
    assert organization.organization_id


def test_no_sql_is_built_from_what_was_sent():
    """A statement is text of our own: what is put into one are names of columns and tables, and `?` for parameters."""
    names = re.compile(r"_?[A-Z_]+|table|columns|key|row|rows|sums|order|select|period|name")
    for path in sorted(Path(store.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr) and re.search(
                r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|LOCK)\b", ast.unparse(node)
            ):
                for part in (each.value for each in node.values if isinstance(each, ast.FormattedValue)):
                    used = {each.id for each in ast.walk(part) if isinstance(each, ast.Name)}
                    assert all(names.fullmatch(each) or each == "len" for each in used), (path.name, ast.unparse(part))
