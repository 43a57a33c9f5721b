"""The contract's fuzzer against the server as users start it, on both databases. `make fuzz` runs just this.

SEED repeats a run, FUZZ_EXAMPLES asks for more cases of each operation, FUZZ_REPORT names a folder for JUnit reports.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sendmeter.contract import contract
from sendmeter.domain.keys import SCOPES
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import ROOT, run_json, served_process

SEED = os.environ.get("SEED", "1")
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "20")
REPORT = os.environ.get("FUZZ_REPORT")
# How many links between operations a run follows at the least, of those that the contract has and the fuzzer finds.
LINKS = 8
RUN = Path(sys.executable).parent / "schemathesis"


@pytest.fixture
def fuzzed_url(database_url):
    """A fresh database, laid as the server lays it."""
    store = Store(database_url)
    if store.is_sqlite:
        upgrade(store)
    store.close()
    return database_url


@pytest.fixture
def key(fuzzed_url):
    """A key that may do everything, of an organization that starts where hooks.py says."""
    options = ("--name", "Fuzzed", "--starts-at", "2026-01-01")
    organization = run_json("organizations", "create", *options, database_url=fuzzed_url)["organizationId"]
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    options = ("--organization", organization, "--name", "fuzzer", *scopes)
    return run_json("keys", "create", *options, database_url=fuzzed_url)


def test_the_fuzzer_finds_no_answer_that_the_contract_does_not_have(fuzzed_url, key, tmp_path):
    kind = "sqlite" if fuzzed_url.startswith("sqlite") else "postgresql"
    report = ["--report", "junit", "--report-junit-path", f"{REPORT}/fuzz-{kind}.xml"] if REPORT else []
    with served_process(fuzzed_url, tmp_path) as server:
        done = subprocess.run(
            [RUN, "--config-file", ROOT / "schemathesis.toml", "run", f"{server.url}/openapi.json",
             "--checks", "all", "--seed", SEED, "--max-examples", EXAMPLES,
             "-H", f"Authorization: Bearer {key['apiKey']}", *report],
            cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False,
            env={**os.environ, "FUZZ_URL": server.url, "FUZZ_KEY": key["apiKey"], "FUZZ_KEY_ID": key["keyId"]},
        )  # fmt: skip
        log = server.log.read_text()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(contract().operations)}" in done.stdout
    assert int(re.search(r"API Links: +(\d+) covered", done.stdout)[1]) >= LINKS
    assert "ERROR" not in log
    assert "Traceback" not in log
    assert run_json("verify", database_url=fuzzed_url)["differences"] == {}
