"""The log beside a file of SQLite stays short: reading for long does not keep it growing, and it shrinks again."""

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from sendmeter.errors import Unavailable
from sendmeter.services import organizations
from sendmeter.services.backup import back_up, standing_still
from sendmeter.services.verify import differences
from sendmeter.store.connections import LOG_BYTES
from tests.live import Client

EVENTS = 2_000
"""Recorded one by one, they make the log longer than LOG_BYTES if it cannot be cut meanwhile."""


def ignored(_done, _of):
    """Look at no progress."""


@pytest.fixture
def recording(sqlite_server):
    """A function that records single events, each with a request of its own; it gives the log's size after each."""
    _, key = sqlite_server.organization()
    log = Path(f"{sqlite_server.store.path}-wal")

    def record(prefix, count):
        with closing(Client(sqlite_server.url, key.token)) as client:
            for number in range(count):
                assert client.record({"id": f"{prefix}-{number}", "channel": "EMAIL"}).status_code == 200
                yield log.stat().st_size

    return record


def test_while_a_database_is_verified_its_log_is_cut_as_ever(sqlite_server, recording):
    list(recording("before", 50))
    with standing_still(sqlite_server.store, ignored) as still:
        assert max(recording("meanwhile", EVENTS)) < LOG_BYTES
        everyone = organizations.everyone(still)
        assert [differences(still, each) for each in everyone] == [[] for _ in everyone]
        counted = still.read(lambda: still.execute("SELECT COUNT(*) FROM events").fetchone())
    assert counted == (50,), "what is verified is the database as it was at one instant"
    assert [path.name for path in Path(still.path).parent.iterdir() if ".copy-" in path.name] == []


def test_a_log_that_grew_while_somebody_read_is_short_again_soon_afterwards(sqlite_server, recording):
    path = sqlite_server.store.path
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM events").fetchone()
        assert max(recording("meanwhile", EVENTS)) > LOG_BYTES, "the test would see nothing"
        reader.execute("COMMIT")
    *_, size = recording("after", 5)
    assert size <= LOG_BYTES


def test_a_backup_cuts_the_log_at_its_end_even_if_nothing_more_is_recorded(sqlite_server, recording, tmp_path):
    *_, size = recording("before", 100)
    assert size > 1_000_000
    back_up(sqlite_server.store, tmp_path / "backup.db", ignored)
    assert Path(f"{sqlite_server.store.path}-wal").stat().st_size == 0


def test_where_the_disk_has_no_room_for_a_copy_verify_says_how_to_do_without(sqlite_store, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=1))
    with pytest.raises(Unavailable, match="has no room for the copy") as refusal, standing_still(sqlite_store, ignored):
        pass
    assert "--in-place" in refusal.value.fix
