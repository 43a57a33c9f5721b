"""`sendmeter demo`: something to look at within seconds, that is kept when it is run again."""

import json
import re
import stat
import subprocess
import time

import pytest

from tests.live import run_cli, run_json, served_process

CURL = re.compile(r"^ {2}(curl .+/organization/usage)$", re.MULTILINE)


def test_a_second_run_is_quick_and_keeps_data_and_key(tmp_path):
    first = run_cli("demo", "--events", "3000", cwd=tmp_path)
    key_file = tmp_path / "sendmeter-demo.key"
    key = key_file.read_text().strip()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key in CURL.search(first.stdout)[1]
    began = time.monotonic()
    second = run_cli("demo", cwd=tmp_path)
    assert time.monotonic() - began < 10
    assert CURL.search(second.stdout)[1] == CURL.search(first.stdout)[1]
    assert key_file.read_text().strip() == key
    [organization] = run_json("organizations", "list", cwd=tmp_path)
    assert organization["name"] == "Sendmeter demo"
    assert len(run_json("keys", "list", cwd=tmp_path)) == 2
    assert run_json("verify", cwd=tmp_path)["differences"] == {}


def test_the_curl_line_that_demo_serve_prints_works_in_a_shell(database_url, tmp_path):
    with served_process(database_url, tmp_path, "--serve", "--events", "2000", command="demo") as server:
        deadline = time.monotonic() + 60
        while not (found := CURL.search(server.log.read_text())):
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)
        assert server.url in found[1]
        done = subprocess.run(["sh", "-c", found[1]], capture_output=True, text=True, timeout=30, check=True)
        usage = json.loads(done.stdout)
        assert sum(usage["channelUsages"].values()) >= 2000
        assert all(count > 0 for count in usage["channelUsages"].values()), "a demo should show every channel"
        assert usage["budgetUsage"] > 0


def test_a_demo_whose_key_is_lost_gets_another_and_counts_nothing_twice(tmp_path):
    run_cli("demo", "--events", "500", cwd=tmp_path)
    key_file = tmp_path / "sendmeter-demo.key"
    first = key_file.read_text()
    before = _usage(tmp_path, first)
    key_file.unlink()
    run_cli("demo", "--events", "500", cwd=tmp_path)
    second = key_file.read_text()
    assert first != second
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert _usage(tmp_path, second) == before


def test_the_key_is_unreadable_to_others_even_where_its_file_was_not(tmp_path):
    key_file = tmp_path / "sendmeter-demo.key"
    key_file.write_text("an old one\n")
    key_file.chmod(0o644)
    run_cli("demo", "--events", "1", cwd=tmp_path)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("count", ["0", "1000001", "many"])
def test_a_number_of_events_that_cannot_be_made_is_refused(count, run_here, tmp_path):
    assert run_here("demo", "--events", count).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def _usage(folder, key):
    with served_process("sqlite:///sendmeter.db", folder) as server:
        command = ["curl", "-s", "-H", f"Authorization: Bearer {key.strip()}", f"{server.url}/organization/usage"]
        return json.loads(subprocess.run(command, capture_output=True, timeout=30, check=True).stdout)
