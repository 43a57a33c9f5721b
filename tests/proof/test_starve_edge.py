"""Connections are many, slow, idle or deaf, and descriptors are used up: who works is answered, and nothing is lost."""

import resource
import signal
import subprocess
import time
from collections import Counter

import pytest
from click.testing import CliRunner

from sendmeter.cli import main
from tests.cli.conftest import _template, postgres_shop, shop  # noqa: F401 - fixtures
from tests.cli.files import stored_ids
from tests.cli.processes import wait_until
from tests.live import SENDMETER, served_process
from tests.proof.length import long_only
from tests.proof.starve_clients import (
    BODY,
    HEADER,
    IDLE,
    UNREAD,
    asked,
    connected,
    limit_files,
    memory_mib,
    open_files,
    processes_of,
    recorded,
    work,
)

THOUSAND = 1_000


@pytest.fixture(autouse=True)
def enough_files():
    """This process has as many connections as the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8_192)), hard))


@pytest.fixture
def serving(shop, tmp_path):  # noqa: F811 - the fixture
    """Start a server; when the test is over, nothing that it acknowledged is lost, and every counter is right."""

    def start(*arguments, **options):
        return served_process(shop["url"], tmp_path, *arguments, **options)

    start.key, start.acknowledged = shop["apiKey"], set()
    yield start
    verified = CliRunner().invoke(main, ["verify", "--database", shop["url"]])
    assert verified.exit_code == 0, verified.output
    assert start.acknowledged <= set(stored_ids(shop["url"]))


def answered(ask):
    """Ask until there is an answer: on a busy machine a client may send so late that its idle connection is closed."""
    return next(status for status in (ask() for _ in range(5)) if status is not None)


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=long_only)])
def test_more_idle_connections_than_there_is_room_for_shut_nobody_out(workers, serving):
    environment = {
        "SENDMETER_MAX_CONNECTIONS": str(THOUSAND // int(workers)),
        "SENDMETER_REQUEST_TIMEOUT_SECONDS": "60",
    }
    with serving("--workers", workers, environment=environment) as server:
        wait_until(lambda: asked(server.url) == 200)
        serving.acknowledged |= work(server.url, serving.key, "warm", 0.2)
        before = memory_mib(processes_of(server))
        with connected(server.url, THOUSAND, IDLE):
            grown = memory_mib(processes_of(server)) - before
            assert grown < 40
            with connected(server.url, THOUSAND // 5, IDLE):
                serving.acknowledged |= work(server.url, serving.key, "a")
        assert "Traceback" not in server.log.read_text()


def test_clients_that_send_or_take_nothing_more_keep_nobody_out_and_are_let_go(serving):
    with serving(environment={"SENDMETER_REQUEST_TIMEOUT_SECONDS": "0.5"}) as server:
        wait_until(lambda: asked(server.url) == 200)
        serving.acknowledged |= work(server.url, serving.key, "warm", 0.2)
        (pid,) = processes_of(server)
        before, files = memory_mib([pid]), open_files(pid)
        with connected(server.url, 400, HEADER), connected(server.url, 400, BODY), connected(server.url, 40, UNREAD):
            serving.acknowledged |= work(server.url, serving.key, "a")
            assert memory_mib([pid]) - before < 64
            # Those of the database's threads come and stay.
            wait_until(lambda: open_files(pid) < files + 40)
        assert "Traceback" not in server.log.read_text()


def test_a_low_limit_on_open_files_bounds_the_connections_and_a_lower_one_closes_idle_ones(serving):
    with serving(before=limit_files(256)) as server, connected(server.url, 400, IDLE):
        serving.acknowledged |= work(server.url, serving.key, "a")
        (pid,) = processes_of(server)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), 256))
        wait_until(lambda: recorded(server.url, serving.key, "first") == 200, 4)
        serving.acknowledged |= work(server.url, serving.key, "b")
        told = server.log.read_text()
        assert "A process may have 256 files open: it keeps " in told
        assert "Traceback" not in told


def test_a_limit_that_leaves_no_room_is_told_with_what_to_do(tmp_path):
    done = subprocess.run(
        [SENDMETER, "serve", "--port", "0", "--database", f"sqlite:///{tmp_path}/none.db"],
        preexec_fn=limit_files(100),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Error: A process may have 100 files open, which is too few. Allow " in done.stderr


def test_with_no_descriptor_left_it_says_so_and_that_it_lives_and_goes_on_once_there_are_some(serving):
    with serving() as server:
        wait_until(lambda: asked(server.url) == 200)
        (pid,) = processes_of(server)
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_files(pid), limits[1]))
        wait_until(lambda: asked(server.url) == 503, 30)
        began = time.monotonic()
        told = Counter()
        for number in range(20):
            told[answered(lambda number=number: recorded(server.url, serving.key, f"e{number}"))] += 1
            told[f"live {answered(lambda: asked(server.url, '/health/live'))}"] += 1
        assert told == {503: 20, "live 200": 20}
        lines = [line for line in server.log.read_text().splitlines() if "sendmeter.access" not in line]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        wait_until(lambda: asked(server.url) == 200, 30)
        serving.acknowledged |= work(server.url, serving.key, "then")
        assert len(lines) < 15 + time.monotonic() - began, lines
        assert "Traceback" not in server.log.read_text()
        assert "No file descriptors are left" in server.log.read_text()


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=long_only)])
def test_who_is_slow_or_idle_does_not_keep_it_from_stopping_in_time(workers, serving):
    with serving("--workers", workers, "--stop-timeout", "1") as server:
        wait_until(lambda: asked(server.url) == 200)
        with (
            connected(server.url, 50, IDLE),
            connected(server.url, 50, HEADER),
            connected(server.url, 50, BODY),
            connected(server.url, 5, UNREAD),
        ):
            began = time.monotonic()
            server.popen.send_signal(signal.SIGTERM)
            assert server.popen.wait(20) == 0
            assert time.monotonic() - began < 10
        assert "Traceback" not in server.log.read_text()


@long_only
def test_a_soft_limit_is_raised_and_a_database_is_reached_on_descriptors_past_the_thousandth(postgres_shop, tmp_path):  # noqa: F811 - the fixture
    """Some drivers wait by select(), which knows no more."""
    environment = {"SENDMETER_MAX_CONNECTIONS": "1500"}
    url, before = postgres_shop["url"], limit_files(256, 4_096)
    with (
        served_process(url, tmp_path, environment=environment, before=before) as server,
        connected(server.url, 1_100, IDLE),
    ):
        acknowledged = work(server.url, postgres_shop["apiKey"], "a")
        assert open_files(server.popen.pid) > 1_024
        assert "ulimit" not in server.log.read_text()
    assert acknowledged == set(stored_ids(url))
