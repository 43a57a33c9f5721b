"""`make fuzz URL=… KEY=…`: the same fuzzer against a server that it did not start, and what was there stays."""

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import httpx
import pytest

from tests.contract.test_fuzz import served
from tests.live import ROOT

PART = "--include-tag keys --include-tag organizations --include-tag providers --phases fuzzing,stateful"
# What the environment of these tests may set for `make fuzz`.
SETTINGS = ("FUZZ_", "SEED", "URL", "KEY")
LISTS = ("/organization/keys", "/organizations", "/organization/providers")
TWILIO = {"provider": "twilio", "accountSid": f"AC{'1' * 32}", "authToken": "of_the_deployment", "records": True}


def fuzz(url, key, report, **environment):
    """Fuzz as `make fuzz` does, but just the keys, organizations and providers."""
    variables = {
        "FUZZ_URL": url,
        "FUZZ_KEY": key,
        "FUZZ_EXAMPLES": "2",
        "FUZZ_REPORT": str(report),
        "FUZZ_OPTIONS": f"{PART} --warnings off",
        "SEED": "3",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_fuzz.py"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def deployment(tmp_path):
    with served("sqlite", f"sqlite:///{tmp_path}/deployed.db", tmp_path) as target:
        yield target


@pytest.mark.long
def test_fuzzing_a_deployment_writes_a_report_and_keeps_what_was_there(deployment, tmp_path):
    headers = {"authorization": f"Bearer {deployment.key}"}
    client = httpx.Client(base_url=deployment.url, headers=headers, timeout=60)
    with client:
        assert client.post("/organization/providers", json=TWILIO).status_code == 201
        keys, organizations, providers = (client.get(path).json()["items"] for path in LISTS)
        done = fuzz(f"{deployment.url}/", deployment.key, tmp_path / "report")
        assert done.returncode == 0, done.stdout
        after = client.get("/organization/keys?limit=200").json()["items"]
        assert len(after) > len(keys)
        assert [key for key in after if key["keyId"] in {each["keyId"] for each in keys}] == keys
        assert client.get("/organizations").json()["items"][: len(organizations)] == organizations
        assert client.get("/organization/providers").json()["items"] == providers
    line = (tmp_path / "report" / "fuzz-deployment.txt").read_text()
    assert re.fullmatch(r"deployment: SEED=3, FUZZ_EXAMPLES=2, 1 run, 0 failed, [\d,]{2,} cases, \d+ s\n", line)
    assert line in done.stdout
    suites = ElementTree.parse(tmp_path / "report" / "fuzz-deployment.xml").getroot()
    (suite,) = suites
    assert (suites.tag, suite.tag) == ("testsuites", "testsuite")
    assert len(suite) == int(suite.get("tests")) == int(suites.get("tests")) > 3
    assert {case.tag for case in suite} == {"testcase"}
    fuzzed = {case.get("name") for case in suite}
    assert {"POST /organization/keys", "DELETE /organization/keys/{keyId}"} <= fuzzed
    assert {"POST /organization/providers", "DELETE /organization/providers/{provider}"} <= fuzzed
    assert all(float(case.get("time")) >= 0 for case in suite)
    assert [suites.get(count) for count in ("failures", "errors")] == ["0", "0"]


@pytest.mark.long
def test_a_failure_is_reported_with_the_command_that_repeats_it(deployment, tmp_path):
    # A key without scopes: a run that sees 403s alone must not pass for a success.
    made = httpx.post(
        f"{deployment.url}/organization/keys",
        headers={"authorization": f"Bearer {deployment.key}"},
        json={"name": "reader"},
        timeout=60,
    ).json()
    done = fuzz(deployment.url, made["apiKey"], tmp_path, FUZZ_OPTIONS=PART)
    assert done.returncode == 1
    assert f"Repeat this run: make fuzz SEED=3 FUZZ_EXAMPLES=2 URL={deployment.url} KEY=…" in done.stdout
    assert "deployment: SEED=3, FUZZ_EXAMPLES=2, 1 run, 1 failed, " in done.stdout
    assert made["apiKey"] not in done.stdout


@pytest.mark.long
def test_a_run_that_takes_too_long_says_how_to_repeat_it_and_hides_the_key(deployment, tmp_path):
    done = fuzz(deployment.url, deployment.key, tmp_path, FUZZ_TIMEOUT="0.5")
    assert done.returncode == 1
    assert "It took longer than FUZZ_TIMEOUT=0.5 seconds." in done.stdout
    assert f"Repeat this run: make fuzz SEED=3 FUZZ_EXAMPLES=2 URL={deployment.url} KEY=…" in done.stdout
    assert deployment.key not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.long
def test_a_wrong_url_or_key_is_reported_as_such(deployment, tmp_path):
    nobody = fuzz(deployment.url, "sendmeter_sk_wrong", tmp_path)
    assert (nobody.returncode, " answers 401 to the key: " in nobody.stdout) == (1, True)
    nowhere = fuzz("http://127.0.0.1:9", deployment.key, tmp_path)
    assert (nowhere.returncode, "http://127.0.0.1:9 does not answer: " in nowhere.stdout) == (1, True)
    assert "Traceback" not in nobody.stdout + nowhere.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["SEED=7"], {"SEED": "7", "FUZZ_EXAMPLES": "100", "FUZZ_REPORT": "build/fuzz", "FUZZ_TIMEOUT": "36000"}),
        (["URL=https://a.example/", "KEY=k"], {"FUZZ_URL": "https://a.example/", "FUZZ_KEY": "k", "SEED": ""}),
        (["FUZZ_TIMEOUT=5", "SEED=$(echo 1)"], {"FUZZ_TIMEOUT": "5", "SEED": "$(echo 1)", "FUZZ_URL": ""}),
    ],
)
def test_make_fuzz_passes_its_variables_on(words, expected, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "arguments=$*"\nenv\n')
    python.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    # What is installed counts as new enough, and what comes from the environment is read by nobody on its way.
    command = ["make", "--silent", "--old-file=.venv/test.stamp", f"BIN={tmp_path}", "fuzz"]
    environment = kept | dict(word.split("=", 1) for word in words)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    handed = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert handed.items() >= expected.items()
    assert handed["arguments"] == "-m pytest -q -n 2 tests/contract/test_fuzz.py"


def test_make_fuzz_keeps_the_key_out_of_the_list_of_processes():
    command = ["make", "--dry-run", "--silent", "--old-file=.venv/test.stamp", "fuzz", "KEY=sendmeter_sk_secret"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
    assert "test_fuzz.py" in done.stdout
    assert "secret" not in done.stdout
