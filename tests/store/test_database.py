"""How the store opens databases, keeps what it acknowledged, and fails."""

import os
import secrets
import sqlite3
import threading
import traceback
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from peewee import IntegrityError

from sendmeter.errors import Unavailable
from sendmeter.store import Store
from sendmeter.store.health import check_permission
from sendmeter.store.schema import upgrade

COUNT = "SELECT COUNT(*) FROM organizations"
INSERT = (
    "INSERT INTO organizations (organization_id, public_id, name, starts_at, created_at, enforcement)"
    " VALUES (?, 'org_x', 'x', 0, 0, 'block')"
)


def count(store):
    return store.read(lambda: store.execute(COUNT).fetchone()[0])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "is no database that Sendmeter knows"),
        ("sqlite:relative.db", "names no file"),
        ("sqlite:///", "names no file"),
        (":memory:", "keeps its data in a file"),
        ("sqlite:////no/such/folder/x.db", "no folder /no/such/folder"),
    ],
)
def test_a_url_that_names_no_database_is_refused_with_what_to_write(url, said):
    with pytest.raises(ValueError, match=said):
        Store(url)


def test_a_path_with_spaces_and_percent_signs_is_the_file_that_it_names(tmp_path):
    for url, name in [(f"{tmp_path}/a b.db", "a b.db"), (f"sqlite:///{tmp_path}/c%20d.db", "c d.db")]:
        with closing(Store(url)) as store:
            store.write(lambda store=store: store.execute("CREATE TABLE t (x BIGINT)"))
        assert (tmp_path / name).exists()


def test_sqlite_is_durable_and_lets_readers_in_beside_a_writer(sqlite_store):
    def pragma(name):
        return sqlite_store.read(lambda: sqlite_store.execute(f"PRAGMA {name}").fetchone()[0])

    assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)


def test_a_new_file_that_another_process_is_just_writing_to_is_waited_for(tmp_path):
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, other.execute, ["COMMIT"])
    done.start()
    with closing(Store(f"{tmp_path}/new.db")) as store, closing(other):
        assert store.read(lambda: store.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
        done.join()


def test_a_new_file_that_another_process_does_not_let_go_of_is_unavailable(tmp_path):
    with (
        closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other,
        closing(Store(f"{tmp_path}/new.db", busy_timeout_seconds=0.2)) as store,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            store.read(lambda: store.execute("SELECT 1"))


def test_a_new_file_beside_the_log_of_one_that_was_moved_away_would_throw_that_log_away(tmp_path):
    """As after a kill: what was acknowledged last is in no other file until its own database is opened again."""
    file, moved = tmp_path / "test.db", tmp_path / "moved.db"
    with closing(sqlite3.connect(file)) as killed:
        killed.execute("PRAGMA journal_mode = wal")
        killed.execute("CREATE TABLE kept AS SELECT 1")
        killed.commit()
        file.rename(moved)
        log = (tmp_path / "test.db-wal").read_bytes()
        assert log
        with (
            closing(Store(f"sqlite:///{file}")) as store,
            pytest.raises(ValueError, match=r"test\.db-wal.*Put .* back"),
        ):
            upgrade(store)
        assert not file.exists()
        assert (tmp_path / "test.db-wal").read_bytes() == log
        moved.rename(file)
    (tmp_path / "other.db-wal").touch()
    with closing(Store(f"sqlite:///{tmp_path}/other.db")) as store:
        upgrade(store)
        assert count(store) == 0


@contextmanager
def as_somebody_else():
    """Be no root, who may write everywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_server_begins_with_a_file_or_a_folder_that_it_may_not_write_to():
    """What SQLite made beside it would stay as it is when the file is mended."""
    with TemporaryDirectory() as name:
        folder, file = Path(name), Path(name, "test.db")
        with closing(Store(f"sqlite:///{file}")) as store:
            for mode, of_folder, unwritable in ((None, 0o555, folder), (0o444, 0o777, file), (0o666, 0o777, None)):
                if mode:
                    file.touch()
                    file.chmod(mode)
                folder.chmod(of_folder)
                with as_somebody_else():
                    if unwritable is None:
                        check_permission(store)
                    else:
                        with pytest.raises(ValueError, match=f"^{unwritable} cannot be written to"):
                            check_permission(store)


def test_what_a_failed_unit_of_work_wrote_is_gone(store):
    def work():
        store.execute(INSERT, (1,))
        raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        store.write(work)
    assert count(store) == 0


def test_an_error_of_a_statement_is_not_taken_for_an_outage(store):
    with pytest.raises(Exception, match="no_such_table"):
        store.read(lambda: store.execute("SELECT * FROM no_such_table"))
    assert count(store) == 0


def test_an_unforeseen_error_quotes_what_a_row_has(store):
    """It goes to the log, and so would what a sender wrote."""
    insert = INSERT.replace("'x', 0, 0,", "?, NULL, 0,")
    written = secrets.token_hex()
    with pytest.raises(IntegrityError) as raised:
        store.write(lambda: store.execute(insert, (1, written)))
    told = "".join(traceback.format_exception(raised.value))
    assert "starts_at" in told
    assert written not in told


def test_a_unit_of_work_starts_again_where_postgresql_cut_its_connection(postgres_url):
    store = Store(postgres_url)
    cut = []

    def work():
        store.execute(INSERT, (len(cut) + 1,))
        if len(cut) < 2:
            backend = store.execute("SELECT pg_backend_pid()").fetchone()[0]
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
            cut.append(backend)
        return store.execute(COUNT).fetchone()[0]

    with closing(store):
        assert store.write(work) == 1
        assert len(set(cut)) == 2


def test_a_thread_whose_idle_connection_was_cut_does_not_notice(postgres_url):
    with closing(Store(postgres_url)) as store:
        backend = store.read(lambda: store.execute("SELECT pg_backend_pid()").fetchone()[0])
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
        assert count(store) == 0


def test_a_postgresql_that_is_not_there_is_unavailable():
    store = Store("postgresql://nobody@127.0.0.1:1/nothing", busy_timeout_seconds=0.1)
    with closing(store), pytest.raises(Unavailable):
        count(store)


def test_a_writer_gives_up_while_another_process_writes_and_readers_go_on(tmp_path, sqlite_store):
    with closing(Store(sqlite_store.url, busy_timeout_seconds=0.1)) as store:
        other = sqlite3.connect(sqlite_store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            store.write(lambda: store.execute(INSERT, (1,)))
        assert count(store) == 0
        other.execute("ROLLBACK")
        other.close()
        store.write(lambda: store.execute(INSERT, (1,)))
        assert count(store) == 1


def test_a_writer_gives_up_while_another_thread_writes(tmp_path, sqlite_store):
    with closing(Store(sqlite_store.url, busy_timeout_seconds=0.1)) as store:
        inside, leave = threading.Event(), threading.Event()

        def hold():
            inside.set()
            leave.wait(10)

        thread = threading.Thread(target=store.write, args=(hold,))
        thread.start()
        inside.wait(10)
        with pytest.raises(Unavailable, match="did not finish in time"):
            store.write(lambda: store.execute(INSERT, (1,)))
        leave.set()
        thread.join()


def test_more_threads_than_connections_are_told_so_in_time(tmp_path, sqlite_store):
    with closing(Store(sqlite_store.url, connections=1, busy_timeout_seconds=0.1)) as store:
        assert count(store) == 0
        refused = []

        def ask():
            try:
                count(store)
            except Unavailable as refusal:
                refused.append(refusal.message)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert refused == ["All connections to the database are in use."]


def test_a_snapshot_does_not_see_what_is_written_meanwhile(store):
    with closing(Store(store.url)) as other:

        def work():
            before = store.execute(COUNT).fetchone()[0]
            thread = threading.Thread(target=other.write, args=(lambda: other.execute(INSERT, (1,)),))
            thread.start()
            thread.join()
            return before, store.execute(COUNT).fetchone()[0]

        assert store.snapshot(work) == (0, 0)
        assert count(store) == 1
