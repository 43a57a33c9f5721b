"""A file that cannot be written to, for whatever reason: the server says so, goes on by itself, and loses nothing."""

import resource
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.proof.starving import starving

# One server for all of them, and so one process of pytest.
pytestmark = pytest.mark.xdist_group("starve_sqlite")
LOCKED, FULL = "Another process keeps the database locked.", "The disk of the database is full."
FAILING, MOVED = "The disk of the database fails.", "The database's file is not there any more, or is another one."


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starve")
    with starving(f"sqlite:///{folder}/test.db", folder) as starved:
        yield starved


@pytest.fixture
def starved(shared):
    """The same server for all: it is never started again."""
    with shared.sending():
        shared.goes_on()
        yield shared
    shared.check()


def path_of(starved):
    return Path(starved.database_url.removeprefix("sqlite:///"))


def test_a_file_that_another_process_locks_for_long_is_waited_for(starved):
    with closing(sqlite3.connect(path_of(starved), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        starved.starves(LOCKED)
        other.execute("ROLLBACK")
    starved.recovers()


@contextmanager
def no_file_longer_than(process, size):
    """Let the kernel refuse the server's files more bytes than these, as a full disk would."""
    pid = process.popen.pid
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def test_a_log_that_cannot_grow_stops_writing_and_nothing_else(starved):
    log = Path(f"{path_of(starved)}-wal")
    with no_file_longer_than(starved.process, log.stat().st_size):
        starved.starves(FULL, FAILING)
    starved.recovers()


def test_a_table_that_cannot_grow_at_a_checkpoint_keeps_its_log(starved):
    """The log takes all that is acknowledged, as long as it can; then nothing is."""
    log = Path(f"{path_of(starved)}-wal")
    with closing(sqlite3.connect(path_of(starved), isolation_level=None)) as other:
        while (other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())[0]:
            pass
        size = path_of(starved).stat().st_size
    with no_file_longer_than(starved.process, max(size, 65_536)):
        starved.starves(FULL, FAILING)
        assert log.stat().st_size <= max(size, 65_536)
    starved.recovers()


def test_a_file_that_is_moved_away_gets_no_more_events_and_put_back_it_does(starved):
    path = path_of(starved)
    aside = path.with_suffix(".aside")
    path.rename(aside)
    starved.starves(MOVED)
    aside.replace(path)
    starved.recovers()


def test_a_file_that_is_replaced_gets_no_events_that_belong_to_the_other(starved):
    path = path_of(starved)
    aside = path.with_suffix(".aside")
    path.rename(aside)
    path.write_bytes(aside.read_bytes())
    starved.starves(MOVED)
    aside.replace(path)
    starved.recovers()
