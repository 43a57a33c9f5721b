"""`sendmeter demo`, stopped in the middle or beside another: what it prints works, and what it keeps is kept."""

import json
import re
import shlex
import socket
import sqlite3
import subprocess
import time
from contextlib import closing

import httpx

from tests.live import SENDMETER, run_cli, run_json

START = re.compile(r"^ *(sendmeter serve.*)$", re.MULTILINE)


def test_a_demo_that_was_killed_in_the_middle_is_made_complete_by_the_next_and_counts_nothing_twice(tmp_path):
    with subprocess.Popen([SENDMETER, "demo", "--events", "20000"], cwd=tmp_path, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while count(tmp_path) < 2000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        killed.kill()
    assert 2000 <= count(tmp_path) < 20_000
    assert not (tmp_path / "sendmeter-demo.key").exists()
    run_cli("demo", "--events", "20000", cwd=tmp_path)
    assert count(tmp_path) == 20_000
    assert run_json("verify", cwd=tmp_path) == {"organizations": 1, "differences": {}}
    assert len(run_json("organizations", "list", cwd=tmp_path)) == 1


def test_the_lines_that_a_demo_prints_work_together_where_it_was_told_of_another_port_and_database(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    printed = run_cli("demo", "--events", "100", "--port", port, "--database", "other.db", cwd=tmp_path).stdout
    curl = next(line.strip() for line in printed.splitlines() if line.startswith("  curl "))
    start = shlex.split(START.search(printed)[1])
    assert {port, "other.db"} <= {word.rpartition("/")[2] for word in start}, start
    server = subprocess.Popen([SENDMETER, *start[1:]], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health/ready", server)
        answer = subprocess.run(["sh", "-c", f"{curl} -s"], capture_output=True, text=True, check=True).stdout
    finally:
        server.terminate()
        server.wait(30)
    assert json.loads(answer).get("messageUsage", 0) > 0, answer


def test_a_password_that_stands_in_the_environment_is_not_printed(postgres_url, tmp_path):
    """PostgreSQL trusts whoever comes through its socket, whatever the password."""
    url = postgres_url.replace("postgres:@", "postgres:secret@")
    assert "secret" in url
    told = run_cli("demo", "--events", "10", database_url=url, cwd=tmp_path)
    assert "curl" in told.stdout
    assert "secret" not in told.stdout + told.stderr


def test_demos_of_two_databases_in_one_folder_both_keep_their_keys(tmp_path):
    def curl_of(database):
        printed = run_cli("demo", "--events", "10", "--database", database, cwd=tmp_path).stdout
        return re.search(r"Bearer (\S+)'", printed)[1]

    keys = [curl_of("one.db"), curl_of("two.db")]
    assert [curl_of("one.db"), curl_of("two.db")] == keys


def count(folder):
    if not (folder / "sendmeter.db").exists():
        return 0
    with closing(sqlite3.connect(f"file:{folder}/sendmeter.db?mode=ro", uri=True)) as database:
        try:
            return database.execute("SELECT count(*) FROM events").fetchone()[0]
        except sqlite3.OperationalError:  # no table yet
            return 0


def wait_for(url, server):
    """Wait until the server answers, for a minute at most."""
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            httpx.get(url, timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nothing answers on {url}")
