"""The generated Python client: what it is made of, and what it gives for each answer that the contract documents."""

import json
import os
import subprocess
import sys
from contextlib import closing

import pytest

from tests.clients.generated_projects import guide
from tests.clients.refusals import PROVOKED, broken, busy, unavailable
from tests.clients.typed_caller import TypedServer
from tests.contract.provoked_responses import CODES, World, newer_schema
from tests.live import ROOT

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]
FOR_PROVIDERS = {"providers.receive"}  # they sign what they send: no client asks it
ALL_AT_ONCE = (429, 500, 503)  # each wants a server of its own, and one is enough for all operations


@pytest.fixture
def typed_server(sqlite_server, python_client):
    return TypedServer.of(sqlite_server)


def run(folder, *arguments, **environment):
    """Run Python with the generated client on its path; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documented(status):
    return [name for name, each in PROVOKED if each == status and name not in FOR_PROVIDERS]


def check(answer, status):
    from sendmeter_client.models import ErrorResponse

    assert answer.status_code == status
    assert isinstance(answer.parsed, ErrorResponse)
    assert answer.parsed.error.code == CODES[status]
    assert answer.parsed.tracking_id == answer.headers["x-tracking-id"]


def test_the_generator_accepts_the_whole_contract(python_client):
    assert (python_client / "generated.txt").read_text().split() == ["Generating", "clients/python/sendmeter_client"]


def test_every_module_can_be_imported(python_client):
    imports = (
        "import importlib, pkgutil, sendmeter_client as client\n"
        "for each in pkgutil.walk_packages(client.__path__, 'sendmeter_client.'): importlib.import_module(each.name)\n"
        "print(len(client.__path__))"
    )
    assert run(python_client, "-c", imports) == "1\n"


def test_no_name_is_made_from_a_schemas_place(python_client):
    models = {path.stem for path in (python_client / "sendmeter_client/models").iterdir()}
    assert not {name for name in models if name.endswith("_body") or "type_" in name or "response_" in name}
    assert {"costs", "grouping", "cap_name", "spec_version", "hold_state", "event_state"} <= models
    functions = (python_client / "sendmeter_client/api").glob("*/*_*.py")
    assert {path.stem.replace("_", ".", 1) for path in functions if path.stem != "__init__"} == {
        operation_id for operation_id, _ in PROVOKED
    } - FOR_PROVIDERS


def test_mypy_accepts_the_client_and_rejects_its_misuse(python_client, tmp_path):
    (tmp_path / "guide.py").write_text(guide("python"))
    program = ROOT / "tests/clients/program.py"
    options = ["--strict", "--config-file=", f"--cache-dir={tmp_path}/cache", "--no-error-summary"]
    found = run(python_client, "-m", "mypy", *options, "sendmeter_client", tmp_path / "guide.py", program)
    assert found == ""


def test_the_wheel_has_the_client(python_client, tmp_path):
    # As in the source tree, where what is generated is not versioned.
    (python_client / ".git").mkdir(exist_ok=True)
    (python_client / ".gitignore").write_text("sendmeter_client/\n")
    run(python_client, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    wheel = next(tmp_path.glob("sendmeter_client-*.whl"))
    use = "import sendmeter_client.models as models; print(models.__file__, models.OrganizationUsage.__name__)"
    found = run(tmp_path, "-c", use, PYTHONPATH=str(wheel))
    assert found.endswith("/sendmeter_client/models/__init__.py OrganizationUsage\n")


def test_a_program_gets_the_values_that_the_server_has(python_client, sqlite_server):
    organization, _ = sqlite_server.organization()
    key = sqlite_server.key(organization, "events:write", "holds:write").token
    told = json.loads(run(python_client, ROOT / "tests/clients/program.py", sqlite_server.url, key))
    assert told == {
        "accepted": [2, 1, 2],
        "outcomes": ["accepted", "accepted"],
        "states": ["held", "settled"],
        "event": "campaign",
        "messages": 5,
        "sms": 1,
        "budget": "999999.999999999",
        "exact": "1000000.039999999",
        "days": 30,
        "today": "2026-11-20T00:00:00+00:00",
    }


@pytest.mark.parametrize("caps", [{}, {"enforcement": "lock", "messages": 0}], ids=["usage", "error"])
def test_the_program_of_the_guide_runs(caps, python_client, sqlite_server):
    client = World.of(sqlite_server, **caps).client
    program = guide("python").replace("http://127.0.0.1:8080", client.url)
    printed = run(python_client, "-c", program, KEY=client.token)
    assert printed.split()[0] == ("usage_limit_exceeded" if caps else "1")


@pytest.mark.parametrize("status", [200, 201, 204])
def test_each_success_is_a_value_of_its_schema(status, typed_server):
    from sendmeter_client.models import ErrorResponse

    for operation_id in documented(status):
        answer = PROVOKED[operation_id, status](typed_server)
        assert answer.status_code == status
        assert not isinstance(answer.parsed, ErrorResponse)
        assert (answer.parsed is None) == (status == 204)


@pytest.mark.parametrize("status", [status for status in CODES if status not in ALL_AT_ONCE])
def test_each_error_is_a_typed_value(status, typed_server):
    for operation_id in documented(status):
        check(PROVOKED[operation_id, status](typed_server), status)


def test_an_error_of_a_server_in_trouble_is_a_typed_value(typed_server, tmp_path):
    world = World.of(typed_server)
    with busy(typed_server) as server:
        ask_all(429, world, server)
    with unavailable(typed_server) as server:
        ask_all(503, world, server)
    with broken(typed_server, tmp_path) as (server, world_of_before):
        ask_all(500, world_of_before, server)
    check(newer_schema(typed_server), 503)


def ask_all(status, world, server):
    with closing(TypedServer.of(server).client(world.client.token)) as client:
        for operation_id in documented(status):
            if operation_id != "health.ready":
                check(world.ask(operation_id, client=client), status)
