"""`sendmeter serve` as operators start and stop it."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.live import SENDMETER, Client, run_cli, served_process


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_and_stops_gracefully_when_it_is_told_to(workers, any_shop, tmp_path):
    """Every answer that was under way arrives, nothing that was acknowledged is lost, and no process stays."""
    acknowledged, failed, stopping = [], [], threading.Event()

    def send(number, url):
        client = Client(url, any_shop["apiKey"])
        for count in range(10_000):
            try:
                answer = client.record({"id": f"{number}-{count}", "channel": "EMAIL"})
            except httpx.TransportError as error:
                failed.append((stopping.is_set(), error))
                break
            acknowledged.append(answer.status_code)
        client.close()

    with served_process(any_shop["url"], tmp_path, "--workers", workers) as server:
        senders = [threading.Thread(target=send, args=(number, server.url)) for number in range(3)]
        for sender in senders:
            sender.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        children = _children(server.popen.pid)
        assert len(children) >= (2 if workers == "2" else 0)
        stopping.set()
        server.popen.send_signal(signal.SIGTERM)
        server.popen.wait(30)
        for sender in senders:
            sender.join(30)
        assert server.popen.returncode in (0, -signal.SIGTERM)
        assert "Traceback" not in server.log.read_text()
    assert all(told for told, _ in failed), "a request failed before the server was told to stop"
    assert set(acknowledged) == {200}
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in children):
        assert time.monotonic() < deadline, "a process outlived the server"
        time.sleep(0.05)
    with served_process(any_shop["url"], tmp_path) as server:
        client = Client(server.url, any_shop["apiKey"])
        counted = client.usage().json()["messageUsage"]
        client.close()
    # A sender whose connection was cut between its request and the answer does not know of one event.
    assert len(acknowledged) <= counted <= len(acknowledged) + len(senders)
    run_cli("verify", database_url=any_shop["url"])


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_stops_it_without_a_traceback(shop, tmp_path):
    with served_process(shop["url"], tmp_path) as server:
        assert httpx.get(f"{server.url}/health/ready", timeout=30).status_code == 200
        assert httpx.get(f"{server.url}/docs", follow_redirects=True).status_code == 200
        server.popen.send_signal(signal.SIGINT)
        if _ignores_sigint(server.popen.pid):
            pytest.skip("this run was started in the background, which ignores SIGINT")
        server.popen.wait(30)
        told = server.log.read_text()
        assert server.popen.returncode in (0, 130, -signal.SIGINT), told
        assert "Traceback" not in told
        assert "Abort" not in told


def _ignores_sigint(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(mask, 16) & 1 << (signal.SIGINT - 1))


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
    ("url", "said"),
    [
        ("mysql://user@host/name", "mysql:// is no database that Sendmeter knows"),
        ("sqlite:///", "names no file"),
        ("sqlite://relative.db", "names no file"),
        (":memory:", "keeps its data in a file"),
        ("sqlite:///missing/folder/sendmeter.db", "There is no folder"),
        ("postgresql://nobody@127.0.0.1:1/nothing", "database"),
        ("postgresql://user:secret@127.0.0.1:99999/nothing", "database"),
        ("postgresql://", "database"),
        (".", "database"),
    ],
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(url, said, tmp_path):
    settings = {"SENDMETER_BUSY_TIMEOUT_SECONDS": "0.5", "PGHOST": "127.0.0.1", "PGPORT": "1"}
    done = run_cli("serve", "--port", "0", "--database", url, cwd=tmp_path, environment=settings, expected=1)
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
