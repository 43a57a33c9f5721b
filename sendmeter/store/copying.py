"""Whole tables, read and written row by row: what a copy from one database to another is made of."""

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

from peewee import Model

from sendmeter.store.database import Store
from sendmeter.store.tables import (
    Accounts,
    ApiKeys,
    AuditLog,
    Corrections,
    CycleCounters,
    Cycles,
    DayCounters,
    Events,
    Holds,
    Organizations,
    PendingCosts,
    ProviderConnections,
    ProviderMessages,
)

Row = tuple[str | int | bool | None, ...]
# In an order in which what refers to a row comes after it.
_MODELS: tuple[type[Model], ...] = (
    Organizations,
    Accounts,
    ApiKeys,
    Cycles,
    Events,
    Corrections,
    CycleCounters,
    DayCounters,
    PendingCosts,
    Holds,
    AuditLog,
    ProviderConnections,
    ProviderMessages,
)
_BY_NAME: dict[str, Any] = {model._meta.table_name: model for model in _MODELS}
TABLES = tuple(_BY_NAME)
"""The names of all tables, in the order in which they can be filled."""
BATCH = 1_000
_KINDS = {"BIGINT": int, "SMALLINT": int, "BOOL": bool, "TEXT": str}


def count(store: Store, table: str) -> int:
    """Count the rows of a table."""
    return int(store.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def is_empty(store: Store) -> bool:
    """Return whether no table has a row; all tables are there."""
    return not any(store.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in TABLES)


def batches(store: Store, table: str) -> Iterator[list[Row]]:
    """Read a table in the order of its key, whatever its size: each batch begins after the key of the last row.

    The rows are the same from each database: SQLite has 0 and 1 where PostgreSQL has booleans. Raises ValueError if
    a value is not of its column's type, which SQLite would take.
    """
    fields = _BY_NAME[table]._meta.sorted_fields
    columns = [field.column_name for field in fields]
    key = [field.column_name for field in _BY_NAME[table]._meta.get_primary_keys()]
    places = [columns.index(name) for name in key]
    select = f"SELECT {', '.join(columns)} FROM {table}"
    order = f"ORDER BY {', '.join(key)} LIMIT {BATCH}"
    found = store.execute(f"{select} {order}").fetchall()
    following = f"{select} WHERE ({', '.join(key)}) > ({', '.join('?' * len(key))}) {order}"
    while found:
        yield [_canonical(table, fields, row) for row in found]
        found = store.execute(following, [found[-1][place] for place in places]).fetchall()


def insert(store: Store, table: str, rows: Sequence[Row]) -> None:
    """Add rows to a table, as `batches` gives them."""
    columns = [field.column_name for field in _BY_NAME[table]._meta.sorted_fields]
    row = f"({', '.join('?' * len(columns))})"
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))}"
    store.execute(statement, [value for each in rows for value in each])


def keep_others_out(store: Store) -> None:
    """Lock out new organizations until this transaction ends; on SQLite it holds the one write lock already."""
    if not store.is_sqlite:
        store.execute(f"LOCK TABLE {TABLES[0]} IN EXCLUSIVE MODE")


def analyze(store: Store) -> None:
    """Update PostgreSQL's planner statistics now; PostgreSQL itself would only do so after the transaction."""
    if not store.is_sqlite:
        store.execute(f"ANALYZE {', '.join(TABLES)}")


def identity(store: Store) -> Hashable:
    """Return which database this is, however its URL names it."""
    if store.path is not None:
        file = Path(store.path).stat()
        return file.st_dev, file.st_ino
    # No two servers started in the same microsecond; no two databases of one have the same number.
    statement = """
    SELECT pg_postmaster_start_time(), current_schema(), oid FROM pg_database WHERE datname = current_database()
    """
    return tuple(store.read(lambda: store.execute(statement).fetchone()))


def exists(store: Store) -> bool:
    """Return whether the database is there; a PostgreSQL always is, or does not answer."""
    return store.path is None or Path(store.path).exists()


def tables_of(store: Store) -> list[str]:
    """Name the tables that are there, Sendmeter's or not."""
    return list(store.read(store.database.get_tables))


def _canonical(table: str, fields: Sequence[Any], row: Sequence[Any]) -> Row:
    values: list[Any] = []
    for field, stored in zip(fields, row, strict=True):
        kind = _KINDS[field.field_type]
        value = bool(stored) if kind is bool and stored in (0, 1) else stored
        if value is not None and type(value) is not kind:
            raise ValueError(f"A value of {table}.{field.column_name} is not of its column's type: the row is damaged.")
        values.append(value)
    return tuple(values)
