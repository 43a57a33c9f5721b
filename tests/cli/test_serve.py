"""`sendmeter serve` as operators start and stop it."""

import os
import signal
import socket
import subprocess
import threading
import time

import httpx
import pytest

from tests.cli.files import stored_ids
from tests.cli.processes import children, is_alive, wait_until
from tests.live import SENDMETER, Client, run_cli, served_process


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_request_is_answered_and_recorded_once_when_it_is_told_to_stop(workers, any_shop, tmp_path):
    acknowledged, unanswered = [], []

    def send(number, url):
        client = Client(url, any_shop["apiKey"])
        for count in range(10_000):
            event_id = f"{number}-{count}"
            try:
                answer = client.record({"id": event_id, "channel": "EMAIL"})
            except httpx.TransportError as error:
                unanswered.append(error)
                break
            assert answer.status_code == 200
            acknowledged.append(event_id)
            if answer.headers.get("connection") == "close":
                break
        client.close()

    with served_process(any_shop["url"], tmp_path, "--workers", workers) as server:
        senders = [threading.Thread(target=send, args=(number, server.url)) for number in range(6)]
        for sender in senders:
            sender.start()
        wait_until(lambda: len(acknowledged) >= 50)
        workers_of_it = children(server.popen.pid)
        assert len(workers_of_it) == (2 if workers == "2" else 0)
        server.popen.send_signal(signal.SIGTERM)
        assert server.popen.wait(30) == 0
        for sender in senders:
            sender.join(30)
        assert "Traceback" not in server.log.read_text()
    assert not any(is_alive(pid) for pid in workers_of_it)
    assert unanswered == []
    run_cli("verify", database_url=any_shop["url"])
    assert sorted(stored_ids(any_shop["url"])) == sorted(acknowledged)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_it_without_a_traceback(workers, shop, tmp_path):
    """A terminal sends it to each process."""
    with served_process(shop["url"], tmp_path, "--workers", workers) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        assert httpx.get(f"{server.url}/docs", follow_redirects=True, timeout=30).status_code == 200
        for pid in [*children(server.popen.pid), server.popen.pid]:
            os.kill(pid, signal.SIGINT)
        asked = time.monotonic()
        code = server.popen.wait(30)
        told = server.log.read_text()
        assert code == 0, told
        assert time.monotonic() - asked < 15
        assert "Traceback" not in told
        assert "Abort" not in told


def test_it_lays_the_tables_of_an_empty_database(empty_postgres_url, tmp_path):
    with served_process(empty_postgres_url, tmp_path, "--workers", "2") as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200


def test_a_port_in_use_is_told_with_what_to_do(shop):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = run_cli("serve", "--port", str(port), database_url=shop["url"], expected=1).stderr
    assert f"127.0.0.1:{port}" in told
    assert "Address already in use" in told
    assert "Try --port" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("host", ["nowhere.invalid", "203.0.113.1", "300.1.1.1"])
def test_an_address_that_is_not_this_machine_s_is_told(host, shop):
    told = run_cli("serve", "--host", host, "--port", "0", database_url=shop["url"], expected=1).stderr
    assert f"Cannot listen on {host}" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("url", "said", "exit_code"),
    [
        ("mysql://user@host/name", "mysql:// is no database that Sendmeter knows", 1),
        ("sqlite:///", "names no file", 1),
        ("sqlite://relative.db", "names no file", 1),
        (":memory:", "keeps its data in a file", 1),
        ("sqlite:///missing/folder/sendmeter.db", "There is no folder", 1),
        ("postgresql://nobody@127.0.0.1:1/nothing", "database", 3),
        ("postgresql://user:secret@127.0.0.1:99999/nothing", "database", 3),
        ("postgresql://", "database", 3),
        (".", "database", 3),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(url, said, exit_code, tmp_path):
    settings = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "0.5", "PGHOST": "127.0.0.1", "PGPORT": "1"}
    done = run_cli("serve", "--port", "0", "--database", url, cwd=tmp_path, environment=settings, expected=exit_code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENDMETER_WORKER_THREADS", "many"),
        ("SENDMETER_WORKER_THREADS", "0"),
        ("SENDMETER_MAX_WAITING", "-1"),
        ("SENDMETER_BUSY_TIMEOUT_SECONDS", "nan"),
        ("SENDMETER_BUSY_TIMEOUT_SECONDS", "inf"),
        ("SENDMETER_PROVIDER_GRACE_SECONDS", "1h"),
        ("SENDMETER_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_setting_is_told_by_the_name_of_its_variable(name, value, run_here, monkeypatch):
    monkeypatch.setenv(name, value)
    told = run_here("serve", "--port", "0")
    assert told.exit_code == 1
    assert name in told.stderr
    assert value in told.stderr


def test_a_bad_setting_ends_a_real_process_with_one_line(tmp_path):
    environment = {"SENDMETER_LOG_LEVEL": "INFORMATION"}
    told = run_cli("serve", "--port", "0", cwd=tmp_path, environment=environment, expected=1).stderr
    assert len(told.splitlines()) == 1
    assert "SENDMETER_LOG_LEVEL" in told


def test_the_settings_reach_the_workers(shop, tmp_path):
    environment = {"SENDMETER_LOG_LEVEL": "warning"}
    with served_process(shop["url"], tmp_path, "--workers", "2", environment=environment) as server:
        assert httpx.get(f"{server.url}/health/live", timeout=30).status_code == 200
    assert "sendmeter.access" not in server.log.read_text()


def test_the_default_address_is_the_documented_one(tmp_path):
    """The port may be in use on a developer's machine; then that is what it says."""
    popen = subprocess.Popen([SENDMETER, "serve"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        told = ""
        while "127.0.0.1:8080" not in told and (line := popen.stderr.readline().decode()):
            told += line
    finally:
        popen.terminate()
        popen.wait(30)
        popen.stderr.close()
    assert "http://127.0.0.1:8080" in told or "127.0.0.1:8080: Address already in use" in told
