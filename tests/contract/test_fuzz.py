"""The contract's fuzzer against a running server. `make fuzz` runs just this, for longer.

By default the server is started here as users start it, on each database, and the mock. FUZZ_URL and FUZZ_KEY name a
deployment that is fuzzed instead. SEED repeats a run (`random` draws one), FUZZ_EXAMPLES asks for more cases of each
operation, FUZZ_SECONDS for runs with the seeds that follow until that time is over, FUZZ_REPORT names a folder for
reports, FUZZ_TIMEOUT is how many seconds a run takes at the most, and FUZZ_OPTIONS is for schemathesis, such as
`--include-tag events`. At the end there is a line for each server that says what was done (conftest.py).
"""

import itertools
import os
import random
import re
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from sendmeter.domain.keys import SCOPES
from sendmeter.services.vault import new_key
from tests.live import ROOT, run_json, served_process

pytestmark = pytest.mark.long

SEED = os.environ.get("SEED") or "1"
EXAMPLES = os.environ.get("FUZZ_EXAMPLES") or "20"
SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
TIMEOUT = float(os.environ.get("FUZZ_TIMEOUT") or 3600)
REPORT = os.environ.get("FUZZ_REPORT")
OPTIONS = shlex.split(os.environ.get("FUZZ_OPTIONS", ""))
DEPLOYMENT = os.environ.get("FUZZ_URL", "").rstrip("/")
# How many links between operations a run follows at the least: some seeds follow few of those that the contract has.
LINKS = 0 if int(EXAMPLES) < 20 else 8 if SEED == "1" else 1
# Providers that are set up while fuzzing are asked for nothing: their port is nobody's.
ALONE = {"SENDMETER_PROVIDER_POLL_SECONDS": "0", "SENDMETER_TEST_PROVIDER_URL": "http://127.0.0.1:9"}
RUN = Path(sys.executable).parent / "schemathesis"


@dataclass
class Target:
    """What is fuzzed: its name in reports, where it listens, a key that may do everything, what is not asked of it.

    `log` is where it writes a line for each request, where we started it.
    """

    name: str
    url: str
    key: str = field(repr=False)
    unchecked: tuple[str, ...] = ()
    log: Path | None = None

    def requests(self):
        """Return how many requests came so far."""
        return "" if self.log is None else f" in {self.log.read_text().count(' sendmeter.access '):,} requests"


@dataclass
class Run:
    """One run of the fuzzer: what it printed, and why it failed, if it did."""

    seed: int
    printed: str
    failed: str = ""

    @property
    def cases(self):
        return sum(int(count) for count in re.findall(r"^  (\d+) generated", self.printed, re.MULTILINE))


def fuzz(target, seed):
    """Fuzz a server with the checks of all."""
    name = f"fuzz-{target.name}" + (f"-{seed}" if SECONDS else "")
    report = ["--report", "junit", "--report-junit-path", f"{REPORT}/{name}.xml"] if REPORT else []
    command = [
        RUN, "--config-file", ROOT / "schemathesis.toml", "run", f"{target.url}/openapi.json", "--url", target.url,
        "--checks", "all", *(f"--exclude-checks={check}" for check in target.unchecked),
        "--seed", str(seed), "--max-examples", EXAMPLES, *report, *OPTIONS,
    ]  # fmt: skip
    environment = {**os.environ, "FUZZ_URL": target.url, "FUZZ_KEY": target.key}
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
        late = f"It took longer than FUZZ_TIMEOUT={TIMEOUT:g} seconds.\n"
        return Run(seed, (error.stdout or b"").decode(errors="replace"), late)
    return Run(seed, done.stdout.decode(), "\n" * (done.returncode != 0))


def seeds():
    """Return the seed that was asked for, or a random one, and those that follow it."""
    return itertools.count(random.SystemRandom().randrange(2**32) if SEED == "random" else int(SEED))


def told(target, runs, seconds):
    """Say in a line what was done to a server."""
    spread = f"{runs[0].seed}" + (f" to {runs[-1].seed}" if len(runs) > 1 else "")
    failed = sum(bool(run.failed) for run in runs)
    return (
        f"{target.name}: SEED={spread}, FUZZ_EXAMPLES={EXAMPLES}, "
        f"{len(runs)} run{'s' * (len(runs) != 1)}, {failed} failed, "
        f"{sum(run.cases for run in runs):,} cases{target.requests()}, {seconds:.0f} s"
    )


@contextmanager
def served(name, database_url, folder):
    """Start a server over a fresh database, with an organization to fuzz; what it did must be right in the end."""
    organization = run_json("organizations", "create", "--name", "Fuzzed", database_url=database_url)["organizationId"]
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    options = ("--organization", organization, "--name", "fuzzer", *scopes)
    key = run_json("keys", "create", *options, database_url=database_url)["apiKey"]
    with served_process(database_url, folder, environment=ALONE | {"SENDMETER_SECRETS_KEY": new_key()}) as server:
        yield Target(name, server.url, key, log=server.log)
        log = server.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert run_json("verify", database_url=database_url)["differences"] == {}


@contextmanager
def mocked(folder):
    """Start the mock. Any token will do: that a wrong one is refused is the one thing that is not asked of it."""
    with served_process(None, folder, "--scenario", "fresh", command="mock") as server:
        yield Target("mock", server.url, "any-token", unchecked=("ignored_auth",), log=server.log)
        log = server.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log


def deployed(url, key):
    """Return a deployment that answers to a key."""
    try:
        answer = httpx.get(
            f"{url}/organization/usage?costs=known", headers={"authorization": f"Bearer {key}"}, timeout=60
        )
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


def test_the_fuzzer_finds_only_answers_that_the_contract_has(target, record_property):
    started, runs = time.monotonic(), []
    paths = httpx.get(f"{target.url}/openapi.json", timeout=30).json()["paths"]
    for seed in seeds():
        runs.append(run := fuzz(target, seed))
        seconds = time.monotonic() - started
        line = told(target, runs, seconds)
        record_property("fuzzed", line)
        if REPORT:
            (ROOT / REPORT).mkdir(parents=True, exist_ok=True)
            (ROOT / REPORT / f"fuzz-{target.name}.txt").write_text(f"{line}\n")
        if run.failed:
            again = f"make fuzz SEED={seed} FUZZ_EXAMPLES={EXAMPLES}"
            again += f" URL={target.url} KEY=…" if DEPLOYMENT else ""
            # No traceback: it would show the key.
            pytest.fail(f"{run.printed}{run.failed}Repeat this run: {again}", pytrace=False)
        if not OPTIONS:
            assert f"Tested: {sum(len(item) for item in paths.values())}" in run.printed
            assert int(re.search(r"API Links: +(\d+) covered", run.printed)[1]) >= LINKS
        if seconds >= SECONDS:
            return
