"""Told to stop, the server first finishes what it was asked."""

import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing

import httpx
import pytest

from tests.live import run_json, served_process


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_is_under_way_at_sigterm_is_still_recorded_and_answered(workers, tmp_path):
    """It waits for another writer, which lets go only once the server does not listen any more."""
    url = f"sqlite:///{tmp_path}/test.db"
    token = run_json("organizations", "create", "--name", "A", database_url=url)["apiKey"]
    answers = []

    def send(to):
        headers = {"authorization": f"Bearer {token}"}
        events = {"events": [{"id": "1", "channel": "EMAIL"}]}
        answers.append(httpx.post(f"{to}/organization/usage/events", headers=headers, json=events, timeout=60))

    environment = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "30"}
    with (
        closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as writer,
        served_process(url, tmp_path, "--workers", workers, environment=environment) as server,
    ):
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        writer.execute("BEGIN IMMEDIATE")
        sender = threading.Thread(target=send, args=[server.url])
        sender.start()
        time.sleep(0.5)
        server.popen.send_signal(signal.SIGTERM)
        wait_until_closed(server)
        assert (server.popen.poll(), answers) == (None, [])
        writer.execute("ROLLBACK")
        sender.join(60)
        assert server.popen.wait(30) in (0, -signal.SIGTERM)
        assert "Traceback" not in server.log.read_text()
        assert [answer.status_code for answer in answers] == [200]
        assert writer.execute("SELECT event_id FROM events").fetchall() == [("1",)]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_that_answered_all_in_time_exits_0_even_if_its_interpreter_ends_late(workers, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import atexit, time\natexit.register(time.sleep, 3)\n")
    url = f"sqlite:///{tmp_path}/test.db"
    run_json("organizations", "create", "--name", "A", database_url=url)
    options, environment = ["--workers", workers, "--stop-timeout", "1"], {"PYTHONPATH": str(tmp_path)}
    with served_process(url, tmp_path, *options, environment=environment) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        server.popen.send_signal(signal.SIGTERM)
        assert server.popen.wait(30) == 0
        assert "broken off" not in server.log.read_text()


def wait_until_closed(server):
    """Wait until each process has let go of the listening socket, or for two seconds where one holds it to its end."""
    host, port = server.url.removeprefix("http://").split(":")
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        with socket.socket() as asking:
            if asking.connect_ex((host, int(port))):
                return
        time.sleep(0.05)
