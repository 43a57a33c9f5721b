"""The file of a SQLite database, copied page by page as it is at one instant, while others write to it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from sendmeter.errors import DatabaseUnavailable
from sendmeter.store.database import Store

PAGES_AT_ONCE = 1_024
"""So many (4 MiB) are copied between two calls of `progress`."""


def write(store: Store, file: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database of SQLite to a file that is empty, by SQLite's own online backup.

    A transaction holds what is read at one instant; without one, SQLite would begin again whenever another process
    writes. The log beside the database grows meanwhile and is shortened afterwards, so nothing else is done in that
    transaction. `progress` is told how many pages are copied, and how many there are. Raises Unavailable if the file
    cannot be written.
    """

    def copied(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    def work() -> None:
        # The transaction begins to see one instant when it first reads.
        store.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(file, isolation_level=None)) as copy:
            store.database.connection().backup(copy, pages=PAGES_AT_ONCE, progress=copied)

    with _failures():
        store.snapshot(work)
    _shorten_log(store)


def look_through(file: Path) -> None:
    """Check every page of a copy, and compare every index with its table.

    Raises Unavailable if the copy is damaged.
    """
    with _failures(), closing(sqlite3.connect(file, isolation_level=None)) as copy:
        found = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise _damaged(found)


def _shorten_log(store: Store) -> None:
    """Move what the log has grown by into the database, unless others are in the way: the next writers do it then."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(store.path or "", timeout=0.2)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
            raise _damaged([str(error)]) from None
        raise DatabaseUnavailable(
            f"The copy cannot be written: {error}.", fix="Look whether the disk is full, and run it again."
        ) from None


def _damaged(found: list[str]) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The database is damaged: {'; '.join(found)}.",
        fix="Nothing was kept of this backup. Go back to an earlier one, and look for a failing disk.",
    )
