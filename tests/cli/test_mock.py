"""`sendmeter mock` as a frontend team starts it."""

import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from sendmeter.contract import find
from tests.live import run_cli, served_process

USAGE = "/organization/usage"
FRESH = "fresh: {$ref: '#/components/examples/UsageFresh'}"
# What a file that is YAML may have wrong, and only shows when it is put to use.
SLIPS = [
    ("/organization/usage/events/{eventId}:\n", "/organization/usage/events/{evId}:\n"),
    ("fresh: {$ref: '#/components/examples/UsageFresh'}", "fresh: {$ref: '#/components/examples/NoSuch'}"),
    ("schema: {$ref: '#/components/schemas/OrganizationUsage'}", "schema: {$ref: '#/components/schemas/NoSuch'}"),
    ("'401': {$ref: '#/components/responses/Unauthorized'}", "'401': {$ref: '#/components/responses/NoSuch'}"),
    ("    ErrorResponse:\n", "    Renamed:\n"),
    ("operationId: usage.history\n", "operationId: usage.get\n"),
    ("pattern: '^trk_[0-9a-v]{26}$'", "pattern: '^trk_[0-9a-v{26}$'"),
    ("minLength: 30\n", "minLength: many\n"),
]


@contextmanager
def mock(folder, *arguments, **environment):
    with served_process(None, folder, *arguments, command="mock", environment=environment) as process:
        headers = {"authorization": "Bearer any-token"}
        with httpx.Client(base_url=process.url, headers=headers, timeout=30) as client:
            yield process, client


def wait_until(told, log):
    deadline = time.monotonic() + 60
    while not re.search(told, log.read_text()):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


@pytest.fixture
def edited(tmp_path):
    """A copy of the contract that the test writes in, with what replaces some of its text."""
    path = tmp_path / "openapi.yaml"
    text = find().read_text()
    path.write_text(text)

    def edit(*replacements):
        changed = text
        for old, new in replacements:
            assert old in changed
            changed = changed.replace(old, new)
        path.write_text(changed)

    edit.path = path
    return edit


def test_the_first_lines_say_where_and_how_and_the_command_that_they_show_works(tmp_path):
    with mock(tmp_path, "--scenario", "near-cap", "--now", "2026-11-20T12:00:00Z") as (process, client):
        first, second = process.log.read_text().splitlines()[:2]
        assert first == (
            f"Sendmeter's mock listens on {process.url} (scenario near-cap, documentation {process.url}/docs)."
            " Stop it with Ctrl-C."
        )
        shown = subprocess.run(second.removeprefix("Try it:  "), shell=True, capture_output=True, check=True)
        assert shown.stdout == client.get(USAGE).content
        assert client.get(USAGE).json()["billingCycleStart"] == "2026-11-05T00:00:00Z"
        assert client.get("/mock").json()["now"] == "2026-11-20T12:00:00Z"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_stays_behind_when_it_is_stopped(stop, tmp_path):
    (tmp_path / "tmp").mkdir()
    with mock(tmp_path, TMPDIR=str(tmp_path / "tmp")) as (process, client):
        assert client.get(USAGE).status_code == 200
        assert list((tmp_path / "tmp").iterdir())
        process.popen.send_signal(stop)
        assert process.popen.wait(30) == 0
        assert "Traceback" not in process.log.read_text()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list(tmp_path.glob("*.db"))


def test_it_stops_soon_though_a_request_waits_for_its_delay(tmp_path):
    with mock(tmp_path) as (process, client), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, USAGE, headers={"prefer": "delay=60000"})
        time.sleep(1)  # time for it to arrive: nothing tells of a request that waits
        process.popen.terminate()
        began = time.monotonic()
        assert process.popen.wait(20) == 0
        assert time.monotonic() - began < 10
        assert waiting.result().status_code == 200
        assert "Traceback" not in process.log.read_text()


def test_the_contract_is_followed_when_its_file_changes_and_worlds_stay(edited, tmp_path):
    with mock(tmp_path, "--contract", str(edited.path)) as (_, client):
        client.post(f"{USAGE}/events", json={"events": [{"id": "one", "channel": "EMAIL"}]})
        assert client.get(USAGE, headers={"prefer": "example=quiet"}).status_code == 400
        edited(
            ("fresh: {$ref: '#/components/examples/UsageFresh'}", "quiet: {$ref: '#/components/examples/UsageFresh'}")
        )
        assert client.get(USAGE, headers={"prefer": "example=quiet"}).json()["messageUsage"] == 0
        assert "quiet:" in client.get("/openapi.yaml").text
        assert client.get(USAGE).json()["messageUsage"] == 13026


def test_a_slip_in_the_contract_is_told_and_what_it_was_goes_on(edited, tmp_path):
    with mock(tmp_path, "--contract", str(edited.path)) as (process, client):
        for slip in ("paths: [", "openapi: 3.0.3\n", "{}", ""):
            edited.path.write_text(slip)
            assert client.get(USAGE).status_code == 200
        for slip in SLIPS:
            edited(slip)
            assert client.get(USAGE).status_code == 200, slip
            assert client.get("/nosuch").status_code == 404
        edited.path.unlink()
        assert client.get(USAGE).status_code == 200
        log = process.log.read_text()
        assert log.count("The mock goes on with what the contract was.") == 4 + len(SLIPS)
        assert "is not YAML: line 2" in log
        assert "Traceback" not in log
        edited(
            ("fresh: {$ref: '#/components/examples/UsageFresh'}", "quiet: {$ref: '#/components/examples/UsageFresh'}")
        )
        assert client.get(USAGE, headers={"prefer": "example=quiet"}).status_code == 200


def test_a_rule_that_a_contract_breaks_is_told_and_it_is_served_all_the_same(edited, tmp_path):
    edited(("      summary: Get the usage of the running billing cycle\n", ""))
    with mock(tmp_path, "--contract", str(edited.path)) as (process, client):
        assert client.get(USAGE).status_code == 200
        wait_until("the contract: .*usage.* has no summary", process.log)


def test_an_operation_that_nobody_has_written_yet_is_answered_with_the_contracts_example(edited, tmp_path):
    edited(("operationId: limits.get\n      tags", "operationId: caps.get\n      tags"),
           ("operationId: usage.history\n", "operationId: usage.past\n"))  # fmt: skip
    with mock(tmp_path, "--contract", str(edited.path)) as (process, client):
        assert client.get("/organization/limits").json()["budgetCap"] == 250
        history = f"{USAGE}/history?startDate=2026-09-01&endDate=2026-11-20"
        assert client.get(history).json()["items"]
        assert client.get(f"{USAGE}/history").status_code == 400
        assert client.get(history, headers={"prefer": "code=502"}).status_code == 502
        assert "usage.past has no function yet" in process.log.read_text()


def test_an_example_that_is_not_what_its_schema_says_is_not_answered(edited, tmp_path):
    edited(("messageUsage: 28615", "messageUsage: many"))
    with mock(tmp_path, "--contract", str(edited.path)) as (process, client):
        assert client.get(USAGE, headers={"prefer": "example=busy"}).status_code == 500
        wait_until("the answer 200 of usage.get breaks the contract.*/messageUsage", process.log)


def test_an_answer_that_the_server_does_not_give_yet_is_the_contracts_example(edited, tmp_path):
    plan = "        plan: {type: string, maxLength: 9, description: Its plan.}\n"
    replacements = [
        ("required: [messageUsage, ", "required: [plan, messageUsage, "),
        ("        messageUsage:\n", plan + "        messageUsage:\n"),
        ("\n        messageUsage: 28615\n", "\n        plan: large\n        messageUsage: 28615\n"),
    ]
    edited(*replacements)
    with mock(tmp_path, "--contract", str(edited.path)) as (process, client):
        assert client.get(USAGE).json()["plan"] == "large"
        edited(*replacements[:2])  # the example does not have it (yet) either
        assert client.get(USAGE).json()["plan"]
        wait_until("answer 200 of usage.get breaks the contract.*plan.*: it is answered with the contract", process.log)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--contract", "nosuch.yaml"],
            "Cannot read nosuch.yaml: No such file or directory. Name the file of a contract.",
        ),
        (["--scenario", "bussy"], "near-cap"),
        (["--now", "noon"], "Write it like"),
        (["--now", "2000-12-31"], "Write an instant from 2001-01-01 to 2099-12-31."),
        (["--now", "9999-12-31"], "Write an instant from 2001-01-01 to 2099-12-31."),
        (["--port", "70000"], "--port"),
    ],
)
def test_what_cannot_be_started_says_why(arguments, told, run_here):
    done = run_here("mock", *arguments)
    assert done.exit_code in (1, 2)
    assert told in done.output
    assert "Traceback" not in done.output


def test_a_port_that_is_taken_is_told(tmp_path):
    with mock(tmp_path) as (process, _):
        port = process.url.rpartition(":")[2]
        assert "Try --port" in run_cli("mock", "--port", port, expected=1).stderr
