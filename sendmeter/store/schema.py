"""The schema: which migrations a database has, and applying those that it lacks."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from peewee import IntegrityError, ProgrammingError
from playhouse.migrations import Migration, Runner

from sendmeter.errors import Unavailable
from sendmeter.store.database import Store

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY = "schema_migration"


@dataclass(frozen=True, slots=True)
class SchemaState:
    """What a database has of the schema: migrations applied, still missing, and unknown to this version."""

    applied: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the database holds nothing of Sendmeter's."""
        return not self.applied and not self.unknown

    @property
    def is_current(self) -> bool:
        """Whether the database has just what this version knows."""
        return not self.missing and not self.unknown


def state_of(store: Store) -> SchemaState:
    """Compare the database's migrations with this version's."""
    rows = store.read(lambda: _runner(store).status())
    return SchemaState(
        applied=tuple(row.name for row in rows if row.applied and row.path),
        missing=tuple(row.name for row in rows if not row.applied),
        unknown=tuple(row.name for row in rows if row.applied and not row.path),
    )


def upgrade(store: Store) -> tuple[str, ...]:
    """Apply the missing migrations, all or none, and name them. Two processes at once do it once."""

    def work() -> tuple[str, ...]:
        return lay(store)

    try:
        return store.write(work)
    except (IntegrityError, ProgrammingError):
        # PostgreSQL lets only one of two transactions create a table, even IF NOT EXISTS. The other's is there now.
        return store.write(work)


def lay(store: Store) -> tuple[str, ...]:
    """Apply the missing migrations within a transaction that is under way."""
    runner = _runner(store)
    runner.History.create_table()
    if not store.is_sqlite:
        # On SQLite the transaction holds the one write lock already.
        store.execute(f"LOCK TABLE {HISTORY} IN ACCESS EXCLUSIVE MODE")
    return tuple(runner.up())


class _Runner(Runner):  # type: ignore[misc]  # peewee has no types
    """peewee's, which would look at the folder each time: where no file can be opened it would find it empty."""

    def migrations(self) -> list[Migration]:
        """Return this version's migrations."""
        return _known(self.directory)


@lru_cache
def _known(folder: str) -> list[Migration]:
    known: list[Migration] = Migration.load_directory(folder)
    if not known:
        raise Unavailable("The files of this version cannot be read.")
    return known


def _runner(store: Store) -> Runner:
    return _Runner(store.database, str(MIGRATIONS), table_name=HISTORY)
