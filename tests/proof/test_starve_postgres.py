"""A PostgreSQL that is gone, silent, crowded or locked: the server says so, goes on by itself, and loses nothing."""

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.cli.processes import children, wait_until
from tests.proof.starving import starving
from tests.store.test_outage import TERMINATE, Postgres

# One server for all of them, and so one process of pytest.
pytestmark = pytest.mark.xdist_group("starve_postgres")
SILENT, READ_ONLY = "The database does not answer.", "The database cannot be written to."
LOCKED = "Another process keeps the database locked."


class Starving(Postgres):
    """A PostgreSQL of this module's own, to be stopped, frozen and used up; a role that owns a database and no more."""

    def __init__(self, folder):
        super().__init__(folder)
        self.ask("CREATE ROLE sendmeter LOGIN")
        self.ask("CREATE DATABASE starved OWNER sendmeter")
        host = self.url.partition("?")[2]
        self.inside = f"postgresql://postgres@/starved?{host}"
        self.given = f"postgresql://sendmeter@/starved?{host}"

    def ask(self, *statements):
        with psycopg.connect(self.url, autocommit=True, options="-c default_transaction_read_only=off") as operator:
            for statement in statements:
                found = operator.execute(statement)
            return found.fetchall() if found.description else None

    @contextmanager
    def frozen(self):
        """Let none of its processes do anything."""
        parent = int((Path(self.server.pgdata) / "postmaster.pid").read_text().split()[0])
        stopped = [parent]
        os.kill(parent, signal.SIGSTOP)  # so that none is born meanwhile
        try:
            for child in children(parent):
                stopped.append(child)
                os.kill(child, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def own_postgres():
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    folder.chmod(0o755)
    postgres = Starving(folder)
    try:
        yield postgres
    finally:
        postgres.server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared(own_postgres, tmp_path_factory):
    with starving(own_postgres.given, tmp_path_factory.mktemp("starve")) as starved:
        yield starved


@pytest.fixture
def starved(shared):
    """The same server for all: it is never started again."""
    with shared.sending():
        shared.goes_on()
        yield shared
    shared.check()


def test_a_postgresql_that_stops_answering_is_not_waited_for_without_end(own_postgres, starved):
    with own_postgres.frozen():
        starved.starves(SILENT)
    starved.recovers()


def test_a_postgresql_that_crashes_is_found_again_when_it_is_back(own_postgres, starved):
    own_postgres.stop()
    starved.starves(SILENT)
    own_postgres.start()
    starved.recovers()


def test_connections_that_are_ended_again_and_again_are_made_anew(own_postgres, starved):
    ended = 0
    while ended < 20:
        ended += len(own_postgres.ask(TERMINATE))
    starved.recovers()


def test_a_server_that_finds_no_connection_left_gets_one_when_there_is(own_postgres, starved):
    own_postgres.ask("ALTER ROLE sendmeter CONNECTION LIMIT 0", TERMINATE)
    starved.starves(SILENT)
    own_postgres.ask("ALTER ROLE sendmeter CONNECTION LIMIT -1")
    starved.recovers()


def test_a_database_that_becomes_a_read_only_copy_takes_writing_again_when_it_is_none(own_postgres, starved):
    own_postgres.ask("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    starved.starves(READ_ONLY)
    own_postgres.ask("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
    starved.recovers()


def test_a_table_that_another_session_locks_for_long_is_waited_for(own_postgres, starved):
    with psycopg.connect(own_postgres.inside) as other:
        other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        starved.starves(LOCKED)
        other.rollback()
    starved.recovers()


def test_while_one_organization_is_locked_the_server_stays_ready_for_the_others(own_postgres, starved):
    with psycopg.connect(own_postgres.inside) as other:
        other.execute("UPDATE cycle_counters SET pending = pending")
        before = len(starved.seen.refusals)
        wait_until(lambda: len(starved.seen.refusals) > before or starved.seen.faults)
        assert starved.is_ready()
        other.rollback()
    starved.recovers()
