"""A whole database, copied to another, of the same kind or not, and verified before it counts."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sendmeter.errors import Conflict, DatabaseUnavailable, NotFound, Unavailable
from sendmeter.services.health import advice_on
from sendmeter.services.verify import differences_within
from sendmeter.store import Store, copying, organizations
from sendmeter.store.copying import TABLES, Row
from sendmeter.store.schema import SchemaState, lay, state_of

Progress = Callable[[int, int], None]
"""Told how many steps are done, and how many there are."""


@dataclass(slots=True)
class Sum:
    """What rows add up to, in whatever order they come: how many there are, and the sum of their hashes."""

    rows: int = 0
    digest: int = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        self.rows += len(rows)
        for row in rows:
            self.digest += int.from_bytes(hashlib.sha256(repr(row).encode()).digest())


def copy(source: Store, target: Store, progress: Progress) -> dict[str, int]:
    """Copy everything that a database has into an empty one; give the number of rows by table.

    The source is read as it is at one instant, whatever is recorded meanwhile. The target is written in one
    transaction, which ends well only if what is read back is what was read, and if every counter is what its ledger
    adds up to. Raises NotFound, and Conflict if either database is not fit for it or the verification failed; then,
    as after any interruption, the target is as empty as it was.
    """
    if not copying.exists(source):
        raise NotFound(f"There is no file {source.path} to copy from.", fix="Name the database to copy from.")
    # All that is wrong with the source is said before the target is asked, which makes its file.
    if _state("FROM", source).is_empty:
        raise Conflict("FROM has no tables: there is nothing to copy.", fix="Name the database to copy from.")
    state = _state("TO", target)
    if copying.identity(source) == copying.identity(target):
        raise Conflict("FROM and TO are the same database.", fix="Name another one to copy to.")
    if state.is_empty and copying.tables_of(target):
        raise Conflict("TO has tables that are not Sendmeter's.", fix="Name a database that is empty, or a new file.")
    return source.snapshot(lambda: target.write(lambda: _copy(source, target, progress)))


def _state(name: str, store: Store) -> SchemaState:
    try:
        state = state_of(store)
    except Unavailable as error:
        raise DatabaseUnavailable(f"{name} does not answer. Look at its URL, and whether it runs.") from error
    if advice := advice_on(state):
        raise Conflict(f"{name} is of another version. {advice}", fix="")
    return state


def _copy(source: Store, target: Store, progress: Progress) -> dict[str, int]:
    """Do it, within a snapshot of the source and a transaction of the target."""
    lay(target)
    copying.keep_others_out(target)
    if not copying.is_empty(target):
        raise Conflict("TO is not empty.", fix="Name a database that is empty, or a new file.")
    counts = {table: copying.count(source, table) for table in TABLES}
    steps = 2 * sum(counts.values())
    done = 0

    def added_up(batches: Iterator[list[Row]]) -> Sum:
        nonlocal done
        rows = Sum()
        for batch in batches:
            rows.add(batch)
            done += len(batch)
            progress(done, steps)
        return rows

    read = {table: added_up(_moved(source, target, table)) for table in TABLES}
    written = {table: added_up(copying.batches(target, table)) for table in TABLES}
    _verify(counts, read, written)
    copying.analyze(target)
    _verify_counters(target)
    return counts


def _moved(source: Store, target: Store, table: str) -> Iterator[list[Row]]:
    for batch in copying.batches(source, table):
        copying.insert(target, table, batch)
        yield batch


def _verify(counts: dict[str, int], read: dict[str, Sum], written: dict[str, Sum]) -> None:
    """Compare what the source has, what was read of it, and what the target has now."""
    for table in TABLES:
        has, got = counts[table], written[table]
        if not has == read[table].rows == got.rows:
            raise _failed(
                f"{table} has {has:,} rows in FROM, of which {read[table].rows:,} were read, and {got.rows:,} in TO"
            )
        if read[table].digest != got.digest:
            raise _failed(f"the rows of {table} are not the same in FROM and in TO")


def _verify_counters(target: Store) -> None:
    for organization in organizations.everyone(target):
        if wrong := differences_within(target, organization):
            told = "; ".join(wrong[:3]) + ("; …" if len(wrong) > 3 else "")
            raise Conflict(
                f"{organization.organization_id} of FROM is damaged: {told}. Nothing was copied.",
                fix='Every row was read right. See what "sendmeter verify" says of FROM.',
            )


def _failed(said: str) -> Conflict:
    return Conflict(
        f"The verification failed: {said}. Nothing was copied.",
        fix="Run it again; if it fails again, look for what changes rows in TO (triggers), or for failing disks.",
    )
