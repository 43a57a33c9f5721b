"""Connections as peewee pools them, and what it leaves out: an end to waiting, transactions that are ended already."""

import contextlib
from typing import Any, TypeVar

import psycopg
from peewee import Psycopg3Adapter
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import _WaitTimeout

from sendmeter.store.failures import NotAnswering
from sendmeter.store.urls import postgresql_url

RV = TypeVar("RV")
LOG_BYTES = 32 * 1024 * 1024
"""What the log beside a file of SQLite is cut to, when a checkpoint has found all of it in the database."""
IDLE_TRANSACTION_SECONDS = 60
"""How long PostgreSQL keeps a transaction open of which it hears nothing: its server may be behind a broken network."""


class _Connection(psycopg.Connection[Any]):
    """A connection that is closed where PostgreSQL does not answer within `answer_seconds`.

    What is in doubt then is what is in doubt where a connection is lost.
    """

    answer_seconds: float | None = None

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer."""
        try:
            return super().wait(gen, interval, self.answer_seconds if timeout is None else timeout)
        except _WaitTimeout:
            if self.answer_seconds is None:
                raise
            self.close()
            raise NotAnswering(f"no answer within {self.answer_seconds:g} s") from None


class _Adapter(Psycopg3Adapter):
    """Makes connections of our own kind."""

    def connect(self, db: "Postgres", **parameters: Any) -> _Connection:  # noqa: ANN401 - libpq's
        """Connect."""
        connection = _Connection.connect(db.database, autocommit=True, **parameters)
        connection.answer_seconds = db.answer_seconds
        if db.answer_seconds is not None:
            # What nobody waits for any more ends, too. Not every PostgreSQL can do that: it takes 14, on a Unix.
            with contextlib.suppress(psycopg.ProgrammingError, psycopg.DataError):
                connection.execute("SET client_connection_check_interval = '1s'")
        return connection


class Postgres(PooledPostgresqlDatabase):  # type: ignore[misc]  # peewee has no types
    """A pool that does not ask a connection `SELECT 1` before each use: `Store` tries again where one was lost."""

    psycopg3_adapter = _Adapter

    def __init__(
        self, url: str, connections: int, busy_timeout_seconds: float, answer_seconds: float | None = None
    ) -> None:
        self.answer_seconds = answer_seconds
        url = postgresql_url(url)
        super().__init__(
            url,
            max_connections=connections,
            timeout=busy_timeout_seconds,
            prefer_psycopg3=True,
            **_parameters(url, busy_timeout_seconds, answer_seconds),
        )

    def is_connected(self) -> bool:
        """Return whether this thread has a connection that is not known to be lost."""
        return not self.is_closed() and not self.connection().closed

    def cut(self) -> None:
        """Close this thread's connection; not as the pool does, which waits for who connects at the moment."""
        if self.is_connected():
            self.connection().close()

    def rollback(self) -> None:
        """Undo the transaction; where its connection is lost, PostgreSQL does."""
        if self.is_connected():
            super().rollback()

    def _is_closed(self, connection: _Connection) -> bool:
        return connection.closed


class Sqlite(PooledSqliteDatabase):  # type: ignore[misc]  # peewee has no types
    """A pool that knows that SQLite itself ends a transaction where the disk is full, or reading or writing fails."""

    def __init__(self, path: str, connections: int, busy_timeout_seconds: float) -> None:
        super().__init__(
            path,
            max_connections=connections,
            timeout=busy_timeout_seconds,
            check_same_thread=False,
            returning_clause=True,
            pragmas={
                "busy_timeout": int(busy_timeout_seconds * 1000),
                "journal_mode": "wal",
                "synchronous": "full",
                "foreign_keys": 1,
                "cache_size": -65_536,
                # A checkpoint writes each page once, however often it changed: at 16 MiB, not SQLite's 4, recording
                # by the thousand into a large table takes a quarter less.
                "wal_autocheckpoint": 4_000,
                # While a reader is open the log only grows. Afterwards it gets this short again (bytes).
                "journal_size_limit": LOG_BYTES,
            },
        )

    def is_connected(self) -> bool:
        """Return whether this thread has a connection."""
        return not self.is_closed()

    def cut(self) -> None:
        """Close this thread's connection."""
        self.manual_close()

    def rollback(self) -> None:
        """Undo the transaction, if it is still there."""
        if self.connection().in_transaction:
            super().rollback()


def _parameters(url: str, busy_timeout_seconds: float, answer_seconds: float | None) -> dict[str, Any]:
    """Return libpq's and PostgreSQL's time limits. What the URL says takes precedence."""
    given = conninfo_to_dict(url)
    options = f"-c lock_timeout={int(busy_timeout_seconds * 1000)}"
    if answer_seconds is not None:
        options += f" -c idle_in_transaction_session_timeout={IDLE_TRANSACTION_SECONDS}s"
    parameters = {
        "connect_timeout": max(2, int(busy_timeout_seconds)),
        "application_name": "sendmeter",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    return {
        **{name: value for name, value in parameters.items() if name not in given},
        "options": f"{options} {given.get('options') or ''}".strip(),
    }
