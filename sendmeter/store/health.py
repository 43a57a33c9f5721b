"""Whether the database can be written to."""

import os
import shutil
from pathlib import Path

from sendmeter.store import failures
from sendmeter.store.database import Store
from sendmeter.store.schema import HISTORY

ROOM_BYTES = 1_048_576
"""What a request may carry. On a disk with less than that a page may still be written, and a request not."""
_WRITTEN = "organizations, events, cycle_counters, day_counters, holds"


def check_permission(store: Store) -> None:
    """Refuse a file of SQLite, or its folder, that this process may not write to, before it is opened.

    What SQLite makes beside a file has the file's permissions: it could not be written to later, when the file can.
    Raises ValueError.
    """
    if store.path is None:
        return
    file = Path(store.path).absolute()
    for place in (file, file.parent):
        if place.exists() and not os.access(place, os.W_OK, effective_ids=True):
            raise ValueError(f"{place} cannot be written to: let the server write to it, and start it again.")


def try_writing(store: Store) -> None:
    """Write something that changes nothing, as recording would; raises Unavailable where that cannot be done."""
    if store.path is not None and shutil.disk_usage(Path(store.path).absolute().parent).free < ROOM_BYTES:
        raise failures.FULL.refusal()
    store.write(lambda: _rewrite(store))


def _rewrite(store: Store) -> None:
    if store.is_sqlite:
        version = store.execute("PRAGMA user_version").fetchone()[0]
        store.execute(f"PRAGMA user_version = {version}")
    else:
        store.execute(f"LOCK TABLE {_WRITTEN} IN ROW EXCLUSIVE MODE")
        store.execute(f"UPDATE {HISTORY} SET name = name")
