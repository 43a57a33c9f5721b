"""A backup of a SQLite database: a file of its own, complete and verified before it has its name."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sendmeter.errors import Conflict, DatabaseUnavailable, NotFound
from sendmeter.services.verify import differences
from sendmeter.store import Store, backup, copying, organizations
from sendmeter.store.schema import state_of

IN_PLACE = "With --in-place the database itself is read."


@dataclass(frozen=True, slots=True)
class Backup:
    """What was backed up."""

    size_bytes: int
    organizations: int
    differences: dict[str, list[str]]
    """What of each organization is not what its ledger adds up to, in the database as in the backup of it."""
    is_verified: bool
    """Whether counters were added up; those of a database of another version cannot be."""


def back_up(store: Store, file: Path, progress: Callable[[int, int], None]) -> Backup:
    """Write a backup of a database of SQLite to a new file, while the database is used.

    It is the database as it was at one instant, has everything that was acknowledged before, and can be served as it
    is. It gets its name once it is on disk whole and was looked through: any interruption leaves no file of that name.
    Raises NotFound if there is no database, Conflict where it is one of PostgreSQL or where the file is there
    already, Unavailable where it cannot be read or written.
    """
    if store.path is None:
        raise Conflict(
            "PostgreSQL has its own tool for this, and knows best.",
            fix='Run "pg_dump --format=custom --file=FILE URL"; "sendmeter db copy" writes a file of SQLite.',
        )
    if not copying.exists(store):
        raise NotFound(f"There is no database {store.path}.", fix="Name the database to back up with --database.")
    if state_of(store).is_empty:
        raise Conflict(f"{store.path} has no tables: there is nothing to back up.", fix="Name another database.")
    with _partial(file) as partial:
        backup.write(store, partial, progress)
        backup.look_through(partial)
        with closing(Store(str(partial))) as copy:
            made = _verified(copy, partial.stat().st_size)
        # It has the hashes of all keys: nobody who may not read the one may read the other. Until now nobody else may.
        shutil.copymode(store.path, partial)
    return made


@contextmanager
def standing_still(store: Store, progress: Callable[[int, int], None]) -> Iterator[Store]:
    """Return a store with the same data that nobody writes to, for as long as the block lasts.

    For SQLite it is a copy beside the file: a long read of the database itself would let its log grow by all that is
    recorded meanwhile. PostgreSQL needs none. Raises Unavailable if the disk has no room for the copy.
    """
    if store.path is None:
        yield store
        return
    file = Path(store.path)
    needed, free = file.stat().st_size, shutil.disk_usage(file.absolute().parent).free
    if needed > free:
        raise DatabaseUnavailable(
            f"The disk of {file} has no room for the copy that is read: it needs {needed:,} bytes, {free:,} are free.",
            fix=f"Free some space. {IN_PLACE}",
        )
    with _temporary(file, "copy", fix=IN_PLACE) as copied:
        backup.write(store, copied, progress)
        with closing(Store(str(copied))) as copy:
            yield copy


def _verified(copy: Store, size_bytes: int) -> Backup:
    if not state_of(copy).is_current:
        return Backup(size_bytes, 0, {}, is_verified=False)
    everyone = organizations.everyone(copy)
    found = {each.organization_id: differences(copy, each) for each in everyone}
    wrong = {organization_id: said for organization_id, said in found.items() if said}
    return Backup(size_bytes, len(everyone), wrong, is_verified=True)


@contextmanager
def _partial(file: Path) -> Iterator[Path]:
    """Return an empty file beside another, which gets the other's name if all goes well, and is removed if not."""
    _check_free(file)
    with _temporary(file, "partial", fix="Name a file in a folder that can be written to.") as partial:
        yield partial
        _name(partial, file)
    # The name, too, is to outlast a power cut.
    folder = os.open(file.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _temporary(file: Path, what: str, *, fix: str) -> Iterator[Path]:
    """Return an empty file beside another, which is removed in the end."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.{what}-", dir=file.absolute().parent)
    except OSError as error:
        raise Conflict(f"There can be no file beside {file}: {error.strerror}.", fix=fix) from error
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for left in (name, f"{name}-wal", f"{name}-shm"):
            Path(left).unlink(missing_ok=True)


def _name(partial: Path, file: Path) -> None:
    """Name a file. A second name, unlike a new one, never takes the place of a file that has just come."""
    try:
        file.hardlink_to(partial)
    except FileExistsError:
        raise _taken(file) from None
    except OSError:
        # Not every file system knows second names.
        _check_free(file)
        partial.rename(file)


def _check_free(file: Path) -> None:
    if os.path.lexists(file):
        raise _taken(file)


def _taken(file: Path) -> Conflict:
    return Conflict(f"{file} is there already.", fix="A backup replaces nothing. Name a new file.")
