"""The contract's fuzzer against a running server. `make fuzz` runs just this, for longer.

By default the server is started here as users start it, on each database, and the mock. FUZZ_URL and FUZZ_KEY name a
deployment that is fuzzed instead. SEED repeats a run, FUZZ_EXAMPLES asks for more cases of each operation, FUZZ_REPORT
names a folder for JUnit reports, FUZZ_TIMEOUT is how many seconds a server is fuzzed at the most, and FUZZ_OPTIONS is
for schemathesis, such as `--include-tag events`.
"""

import os
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from sendmeter.domain.keys import SCOPES
from sendmeter.services.vault import new_key
from tests.live import ROOT, run_json, served_process

SEED = os.environ.get("SEED") or "1"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES") or "20"
TIMEOUT = float(os.environ.get("FUZZ_TIMEOUT") or 3600)
REPORT = os.environ.get("FUZZ_REPORT")
OPTIONS = shlex.split(os.environ.get("FUZZ_OPTIONS", ""))
DEPLOYMENT = os.environ.get("FUZZ_URL", "").rstrip("/")
# How many links between operations a run follows at the least, of those that the contract has and the fuzzer finds.
LINKS = 8
# Providers that are set up while fuzzing are asked for nothing: their port is nobody's.
ALONE = {"SENDMETER_PROVIDER_POLL_SECONDS": "0", "SENDMETER_TEST_PROVIDER_URL": "http://127.0.0.1:9"}
RUN = Path(sys.executable).parent / "schemathesis"


@dataclass
class Target:
    """What is fuzzed: its name in reports, where it listens, a key that may do everything, what is not asked of it."""

    name: str
    url: str
    key: str = field(repr=False)
    unchecked: tuple[str, ...] = ()


def fuzz(target):
    """Fuzz a server with the checks of all; fail with what was found and how to repeat it, or give what was printed."""
    report = ["--report", "junit", "--report-junit-path", f"{REPORT}/fuzz-{target.name}.xml"] if REPORT else []
    command = [
        RUN, "--config-file", ROOT / "schemathesis.toml", "run", f"{target.url}/openapi.json", "--url", target.url,
        "--checks", "all", *(f"--exclude-checks={check}" for check in target.unchecked),
        "--seed", SEED, "--max-examples", EXAMPLES, *report, *OPTIONS,
    ]  # fmt: skip
    environment = {**os.environ, "FUZZ_URL": target.url, "FUZZ_KEY": target.key}
    again = f"make fuzz SEED={SEED} FUZZ_EXAMPLES={EXAMPLES}" + (f" URL={target.url} KEY=…" if DEPLOYMENT else "")
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        failed, printed = f"It took longer than FUZZ_TIMEOUT={TIMEOUT:g} seconds.\n", (error.stdout or b"").decode()
    else:
        failed, printed = "\n" * (done.returncode != 0), done.stdout.decode()
    if failed:
        # No traceback: it would show the key.
        pytest.fail(f"{printed}{failed}Repeat this run: {again}", pytrace=False)
    return printed


@contextmanager
def served(name, database_url, folder):
    """Start a server over a fresh database, with an organization to fuzz; what it did must be right in the end."""
    organization = run_json("organizations", "create", "--name", "Fuzzed", database_url=database_url)["organizationId"]
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    options = ("--organization", organization, "--name", "fuzzer", *scopes)
    key = run_json("keys", "create", *options, database_url=database_url)["apiKey"]
    with served_process(database_url, folder, environment=ALONE | {"SENDMETER_SECRETS_KEY": new_key()}) as server:
        yield Target(name, server.url, key)
        log = server.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert run_json("verify", database_url=database_url)["differences"] == {}


@contextmanager
def mocked(folder):
    """Start the mock. Any token will do: that a wrong one is refused is the one thing that is not asked of it."""
    with served_process(None, folder, "--scenario", "fresh", command="mock") as server:
        yield Target("mock", server.url, "any-token", unchecked=("ignored_auth",))
        log = server.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log


def deployed(url, key):
    """Give a deployment that answers to a key."""
    try:
        answer = httpx.get(f"{url}/organization/usage?costs=known", headers={"authorization": f"Bearer {key}"})
    except httpx.HTTPError as error:
        pytest.fail(f"{url} does not answer: {error}. Is the URL right?", pytrace=False)
    if answer.status_code != 200:
        pytest.fail(f"{url} answers {answer.status_code} to the key: {answer.text[:500]}", pytrace=False)
    return Target("deployment", url, key)


@pytest.fixture(params=["deployment"] if DEPLOYMENT else ["sqlite", "postgresql", "mock"])
def target(request, tmp_path):
    if request.param == "deployment":
        yield deployed(DEPLOYMENT, os.environ.get("FUZZ_KEY", ""))
        return
    if request.param == "mock":
        with mocked(tmp_path) as made:
            yield made
        return
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/fuzzed.db" if is_sqlite else request.getfixturevalue("postgres_url")
    with served(request.param, url, tmp_path) as made:
        yield made


def test_the_fuzzer_finds_no_answer_that_the_contract_does_not_have(target):
    printed = fuzz(target)
    if not OPTIONS:
        paths = httpx.get(f"{target.url}/openapi.json", timeout=30).json()["paths"]
        assert f"Tested: {sum(len(item) for item in paths.values())}" in printed
        assert int(re.search(r"API Links: +(\d+) covered", printed)[1]) >= LINKS
