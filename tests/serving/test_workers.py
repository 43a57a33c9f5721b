"""`sendmeter serve` when processes are killed, stopped, replaced, or cannot start."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager

import httpx
import psycopg
import pytest

from tests.cli.files import stored_ids
from tests.cli.processes import children, is_alive, wait_until
from tests.live import run_cli, served_process

WORKERS = pytest.mark.parametrize("workers", ["1", "2"])


def serving(server):
    """The workers that serve by now, or did, as the log names them."""
    return [int(pid) for pid in re.findall(r"worker (\d+) serves", server.log.read_text())]


@contextmanager
def sending(shop, server, *, connections=4):
    """Record events, one a request, until the block ends; gives their ids. What is not answered is sent again."""
    acknowledged, again, done = [], [], threading.Event()

    def send(number):
        with httpx.Client(headers={"authorization": f"Bearer {shop['apiKey']}"}, timeout=30) as client:
            count = 0
            while not done.is_set():
                event = {"id": f"{number}-{count}", "channel": "EMAIL"}
                try:
                    answer = client.post(f"{server.url}/organization/usage/events", json={"events": [event]})
                except httpx.TransportError as error:
                    again.append(error)
                    continue
                assert answer.status_code == 200
                acknowledged.append(event["id"])
                count += 1

    senders = [threading.Thread(target=send, args=[number]) for number in range(connections)]
    for sender in senders:
        sender.start()
    try:
        yield acknowledged, again
    finally:
        done.set()
        for sender in senders:
            sender.join(30)


@contextmanager
def held_request(shop, server, database):
    """A request that is under way for as long as the block is: another writer has the database."""
    with closing(sqlite3.connect(database, isolation_level=None)) as writer, socket.socket() as connection:
        writer.execute("BEGIN IMMEDIATE")
        connection.connect(address(server))
        connection.sendall(posting(shop, "held"))
        # Read by the server before what is asked next is answered.
        assert httpx.get(f"{server.url}/health/live", timeout=30).status_code == 200
        yield


def address(server):
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def posting(shop, event_id):
    body = json.dumps({"events": [{"id": event_id, "channel": "EMAIL"}]})
    return (
        "POST /organization/usage/events HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {shop['apiKey']}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def answer_on(connection):
    """Read to the end of the connection."""
    read = b""
    while part := connection.recv(65_536):
        read += part
    return read


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(any_shop, tmp_path):
    with served_process(any_shop["url"], tmp_path, "--workers", "2") as server:
        wait_until(lambda: len(serving(server)) == 2)
        killed, other = children(server.popen.pid)
        with sending(any_shop, server) as (acknowledged, _):
            wait_until(lambda: len(acknowledged) > 50)
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: len(serving(server)) == 3)
            reached = len(acknowledged)
            wait_until(lambda: len(acknowledged) > reached + 50)
        assert other in children(server.popen.pid)
        assert f"worker {killed} was killed by SIGKILL" in server.log.read_text()
        server.popen.terminate()
        assert server.popen.wait(30) == 0
    assert set(acknowledged) <= set(stored_ids(any_shop["url"]))
    run_cli("verify", database_url=any_shop["url"])


def test_a_worker_is_replaced_while_the_database_is_away(postgres, postgres_shop, tmp_path):
    name = postgres_shop["url"].partition("?")[0].rpartition("/")[2]
    environment = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "0.1"}

    def health(server):
        return [httpx.get(f"{server.url}/health/{of}", timeout=30).status_code for of in ("live", "ready")]

    with (
        psycopg.connect(postgres, autocommit=True) as admin,
        served_process(postgres_shop["url"], tmp_path, "--workers", "2", environment=environment) as server,
    ):
        wait_until(lambda: len(serving(server)) == 2)
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        for pid in children(server.popen.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(serving(server)) == 4)
        assert health(server) == [200, 503]
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        wait_until(lambda: health(server) == [200, 200])


def test_workers_stop_when_their_parent_is_killed(shop, tmp_path):
    with served_process(shop["url"], tmp_path, "--workers", "2") as server:
        wait_until(lambda: len(serving(server)) == 2)
        orphans = children(server.popen.pid)
        server.popen.kill()
        server.popen.wait(30)
        wait_until(lambda: not any(is_alive(pid) for pid in orphans), 10)
        with socket.socket() as asking:
            assert asking.connect_ex(address(server))


@WORKERS
def test_what_was_sent_before_the_server_was_told_to_stop_is_answered(workers, shop, tmp_path):
    """On connections that nobody has accepted yet, and on one that is kept alive; both end with the answer."""
    with ExitStack() as closes, served_process(shop["url"], tmp_path, "--workers", workers) as server:
        kept = closes.enter_context(socket.socket())
        wait_until(lambda: workers == "1" or len(serving(server)) == 2)
        kept.connect(address(server))
        kept.sendall(posting(shop, "first"))
        answer = b""
        while not answer.endswith(b"}\n"):
            answer += kept.recv(65_536)
        frozen = children(server.popen.pid) or [server.popen.pid]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        waiting = [closes.enter_context(socket.create_connection(address(server), timeout=20)) for _ in range(8)]
        for number, connection in enumerate(waiting):
            connection.sendall(posting(shop, f"waiting-{number}"))
        kept.sendall(posting(shop, "kept"))
        server.popen.send_signal(signal.SIGTERM)
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        for connection in [kept, *waiting]:
            assert answer_on(connection).startswith(b"HTTP/1.1 200")
        assert server.popen.wait(30) == 0
    assert len(stored_ids(shop["url"])) == 10


@WORKERS
def test_told_to_stop_again_it_ends_at_once(workers, shop, tmp_path):
    environment = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "30"}
    with served_process(shop["url"], tmp_path, "--workers", workers, environment=environment) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        with held_request(shop, server, tmp_path / "sendmeter.db"):
            processes = [server.popen.pid, *children(server.popen.pid)]
            server.popen.send_signal(signal.SIGTERM)
            wait_until(lambda: "Stopping" in server.log.read_text())
            assert server.popen.poll() is None
            server.popen.send_signal(signal.SIGTERM)
            assert server.popen.wait(20) == 128 + signal.SIGTERM
            assert not any(is_alive(pid) for pid in processes)
    assert "Traceback" not in server.log.read_text()


@WORKERS
def test_what_takes_too_long_is_broken_off(workers, shop, tmp_path):
    environment = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "30"}
    options = ["--workers", workers, "--stop-timeout", "1"]
    with served_process(shop["url"], tmp_path, *options, environment=environment) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        with held_request(shop, server, tmp_path / "sendmeter.db"):
            server.popen.send_signal(signal.SIGTERM)
            assert server.popen.wait(20) == 1
    told = server.log.read_text()
    assert "Not answered within 1 s, and broken off: 1." in told
    assert "Traceback" not in told
    assert stored_ids(shop["url"]) == set()


def test_sighup_replaces_the_workers_and_no_request_fails(shop, tmp_path):
    with served_process(shop["url"], tmp_path, "--workers", "2") as server:
        wait_until(lambda: len(serving(server)) == 2)
        before = children(server.popen.pid)
        with sending(shop, server) as (acknowledged, again):
            wait_until(lambda: len(acknowledged) > 20)
            server.popen.send_signal(signal.SIGHUP)
            wait_until(lambda: not any(is_alive(pid) for pid in before))
            reached = len(acknowledged)
            wait_until(lambda: len(acknowledged) > reached + 20)
        assert again == []
        assert len(children(server.popen.pid)) == 2
        server.popen.terminate()
        assert server.popen.wait(30) == 0


def test_one_process_stops_gracefully_when_its_terminal_is_closed(shop, tmp_path):
    with served_process(shop["url"], tmp_path) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        server.popen.send_signal(signal.SIGHUP)
        assert server.popen.wait(30) == 0


SCRIPT = """
import logging, os, pathlib, socket, sys, time
from sendmeter.serving import workers
logging.basicConfig(level="INFO", format="%(message)s")
workers.SILENT_SECONDS, workers.TICK_SECONDS = 0, 0.1
starts = pathlib.Path("starts")

def work(link):
    with starts.open("a") as file:
        file.write("x")
    number = len(starts.read_text())
"""
END = "\nsys.exit(workers.Workers(1, work, socket.socket(), 1).run())\n"


@contextmanager
def parent_of(folder, work):
    """A parent whose workers do nothing but `work`."""
    command = [sys.executable, "-c", SCRIPT + work + END]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as popen:
        yield popen
        popen.kill()


def test_where_no_worker_can_start_the_server_says_so_and_ends(tmp_path):
    with parent_of(tmp_path, "    raise OSError('there is no room')") as popen:
        assert popen.wait(30) == 1
    told = (tmp_path / "log").read_text().splitlines()
    assert told[0].endswith("fails: there is no room")
    assert told[1].endswith("ended with exit code 1")
    assert told[2:] == ["No worker could start: the server ends."]


def test_a_worker_that_cannot_start_any_more_is_tried_with_pauses(tmp_path):
    with parent_of(tmp_path, "    if number == 1: link.send(b'.'); time.sleep(0.2)") as popen:
        wait_until(lambda: "The next worker starts in 2 s." in (tmp_path / "log").read_text())
        assert popen.poll() is None
    assert len((tmp_path / "starts").read_text()) == 3


def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path):
    with parent_of(tmp_path, "    link.send(b'.'); time.sleep(60)"):
        wait_until(lambda: "hangs; it is killed" in (tmp_path / "log").read_text())
        wait_until(lambda: len((tmp_path / "starts").read_text()) == 2)
