"""The file of a SQLite database, copied page by page as it is at one instant, while others write to it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sendmeter.errors import Unavailable
from sendmeter.store.database import Store

PAGES_AT_ONCE = 1_024
"""So many (4 MiB) are copied between two calls of `progress`."""


def write(store: Store, file: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database of SQLite to a file that is empty, by SQLite's own online backup, and look through the copy.

    A transaction holds what is read at one instant; without one, SQLite would begin again whenever another process
    writes. `progress` is told how many pages are copied, and how many there are. Raises Unavailable where the file
    cannot be written or is not sound.
    """

    def copied(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    def work() -> None:
        # The transaction begins to see one instant when it first reads.
        store.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(file, isolation_level=None)) as copy:
            store.database.connection().backup(copy, pages=PAGES_AT_ONCE, progress=copied)
            _look_through(copy)

    try:
        store.snapshot(work)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
            raise _damaged([str(error)]) from None
        raise Unavailable(
            f"The backup cannot be written: {error}.", fix="Look whether the disk is full, and run it again."
        ) from None


def _look_through(copy: sqlite3.Connection) -> None:
    """Let SQLite read every page, and compare every index with its table."""
    found = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise _damaged(found)


def _damaged(found: list[str]) -> Unavailable:
    return Unavailable(
        f"The database is damaged: {'; '.join(found)}.",
        fix="Nothing was kept of this backup. Go back to an earlier one, and look for a failing disk.",
    )
