"""The generated TypeScript client: compiled with `strict`, and what it gives for each error, of a running server."""

import json
import subprocess

import pytest

from tests.clients.refusals import broken, busy, key_that_meets, unavailable
from tests.contract.provoked_responses import CODES, World

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]


def run(*command, folder, **environment):
    done = subprocess.run(
        command, cwd=folder, env=environment or None, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_program_gets_the_servers_values_and_typed_errors(typescript_client, node, sqlite_server, tmp_path):
    world = World.of(sqlite_server)
    keys = {
        "locked": key_that_meets(sqlite_server, "usage.get", 402),
        "scopeless": key_that_meets(sqlite_server, "events.search", 403),
        "conflicted": key_that_meets(sqlite_server, "holds.release", 409),
        "owed": key_that_meets(sqlite_server, "usage.get", 502),
    }
    with (
        busy(sqlite_server) as busy_server,
        unavailable(sqlite_server) as unavailable_server,
        broken(sqlite_server, tmp_path) as (broken_server, world_of_before),
    ):
        given = {
            "url": sqlite_server.url,
            "key": world.client.token,
            "urls": {"busy": busy_server.url, "unavailable": unavailable_server.url, "broken": broken_server.url},
            "keys": {**keys, "broken": world_of_before.client.token},
        }
        told = json.loads(run(node, "dist/program.js", json.dumps(given), folder=typescript_client))
    assert {int(status): code for status, code in told["refused"].items()} == CODES
    assert told["used"] == {
        "accepted": 2,
        "outcomes": ["accepted", "accepted"],
        "states": ["held", "settled"],
        "event": "campaign",
        "messages": 3,
        "sms": 5,
        "budget": 0.0509,
        "days": 30,
        "ofHistory": 3,
        "text": True,
    }


@pytest.mark.parametrize("caps", [{}, {"enforcement": "lock", "messages": 0}], ids=["usage", "error"])
def test_the_program_of_the_guide_runs(caps, typescript_client, node, sqlite_server):
    client = World.of(sqlite_server, **caps).client
    program = typescript_client / "dist/guide.js"
    here = program.with_name(f"guide-{client.url.rpartition(':')[2]}.js")
    here.write_text(program.read_text().replace("http://127.0.0.1:8080", client.url))
    printed = run(node, here, folder=typescript_client, KEY=client.token)
    assert printed.split()[0] == ("usage_limit_exceeded" if caps else "1")


def test_the_generator_and_the_compiler_report_nothing(typescript_client):
    """The compiler's part is types.ts too, where a misuse that it lets pass is an error."""
    said = (typescript_client / "generated.txt").read_text().splitlines()
    assert len(said) == 2
    assert said[1].startswith("🚀")
