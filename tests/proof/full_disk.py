"""A server on a small disk that fills up; run in a namespace of its own, where the disk is mounted.

`python -m tests.proof.full_disk FOLDER`, where FOLDER is a disk of 64 MiB.
"""

import shutil
import sqlite3
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from tests.cli.processes import wait_until
from tests.proof.starving import starving

FULL = "The disk of the database is full."
LOG = 20 * 1024**2
"""More than what the server lets the log grow to before it writes it to the table (16 MiB)."""


@contextmanager
def filled(disk, leaving=0):
    """Let a file take what there is of the disk, but for some bytes."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        file.write(b"x" * max(0, shutil.disk_usage(disk).free - leaving))
        while not leaving:
            file.write(b"x")
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def long_log(table):
    """Let the log become long, which for the time of the block cannot be written to the table: somebody reads on."""
    with closing(sqlite3.connect(table, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM events").fetchone()
        with closing(sqlite3.connect(table, timeout=20)) as writer:
            writer.execute("PRAGMA wal_autocheckpoint = 0")
            writer.execute("CREATE TABLE filler AS SELECT zeroblob(?) AS bytes", (LOG,))
            writer.commit()
        yield


def main(disk):
    table = disk / "test.db"
    with starving(f"sqlite:///{table}", disk) as starved:
        with starved.sending():
            starved.goes_on()
            with filled(disk):
                starved.starves(FULL)
            starved.recovers()
            size = table.stat().st_size
            with ExitStack() as full:
                with long_log(table):
                    full.enter_context(filled(disk, leaving=1024**2))
                # From now on each commit goes on to write the log to the table, which takes the rest of the disk.
                starved.starves(FULL)
                assert size < table.stat().st_size < size + LOG
            starved.recovers()
            wait_until(lambda: table.stat().st_size > size + LOG)
        starved.check()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
