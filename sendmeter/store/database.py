"""The connection to the database: how it is opened, how a unit of work is run, which failures are tried again."""

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from peewee import (  # type: ignore[attr-defined]  # EXCEPTIONS is not in its stub
    EXCEPTIONS,
    DatabaseError,
    ExceptionWrapper,
    InterfaceError,
    OperationalError,
)
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from sendmeter.errors import Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS = 5
# Deadlock, serialization failure, a failure of a distributed commit: the transaction is tried again.
_TRANSIENT_SQLSTATES = ("40P01", "40001", "XX000")
# A connection that failed, or whose server stops or starts: tried again on a new connection.
_LOST_SQLSTATES = ("08", "57P01", "57P02", "57P03")
_SQLITE_UNAVAILABLE = {
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
}
_DRIVER_ERRORS = (DatabaseError, InterfaceError)


class _Postgres(PooledPostgresqlDatabase):  # type: ignore[misc]  # peewee has no types
    """A pool that does not ask a connection `SELECT 1` before each use: `Store` tries again where one was lost."""

    def _is_closed(self, connection: Any) -> bool:  # noqa: ANN401 - psycopg's, seen by duck typing
        return bool(connection.closed)


class _Sqlite(PooledSqliteDatabase):  # type: ignore[misc]  # peewee has no types
    """A pool that knows that SQLite itself ends a transaction where the disk is full, or reading or writing fails."""

    def rollback(self) -> None:
        """Undo the transaction, if it is still there."""
        if self.connection().in_transaction:
            super().rollback()


class Store:
    """The data of all organizations, on SQLite or PostgreSQL.

    Each thread that uses a store keeps one connection of the pool until the store is closed.
    """

    def __init__(self, url: str, *, connections: int = 16, busy_timeout_seconds: float = 5.0) -> None:
        self.url = url
        self._busy_timeout_seconds = busy_timeout_seconds
        self.is_sqlite = not url.startswith(("postgresql://", "postgres://"))
        # SQLite has one writer at a time: threads of this process queue here in turn, rather than in SQLite's
        # busy handler, which sleeps and may wake the last to come first.
        self._writing = threading.Lock()
        # Whether this thread is within a transaction that several pieces of work share.
        self._shared = threading.local()
        self._statements: dict[str, str] = {}
        if self.is_sqlite:
            self.path: str | None = _sqlite_path(url)
            self.database = _Sqlite(
                self.path,
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
                },
            )
        else:
            self.path = None
            self.database = _Postgres(
                _postgresql_url(url),
                max_connections=connections,
                timeout=busy_timeout_seconds,
                prefer_psycopg3=True,
                connect_timeout=max(2, int(busy_timeout_seconds)),
                application_name="sendmeter",
                options=f"-c lock_timeout={int(busy_timeout_seconds * 1000)}",
            )

    def close(self) -> None:
        """Close all connections."""
        self.database.close_all()

    def read(self, work: Callable[[], T]) -> T:
        """Run queries that change nothing.

        Raises Unavailable where the database does not answer.
        """
        return work() if self._is_shared() else self._run(work, self._connected)

    def snapshot(self, work: Callable[[], T]) -> T:
        """Run several queries that all see the data of one instant."""

        def in_one_instant() -> T:
            if not self.is_sqlite:
                self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return work()

        return self._run(in_one_instant, self._snapshot)

    def write(self, work: Callable[[], T]) -> T:
        """Run a unit of work in one transaction, from its start again where the database lost it or asks for it.

        A lost connection leaves a commit in doubt, so the work must be idempotent. Raises Unavailable where the
        database does not answer, or another writer does not finish in time.
        """
        return work() if self._is_shared() else self._run(work, self._transaction)

    def together(
        self, works: Sequence[Callable[[], T]], first: Callable[[], object] = lambda: None
    ) -> list[T | Exception]:
        """Run several pieces of work, each of which writes, in one transaction; give what each gives or raises.

        What raises leaves nothing behind, and what does not is kept: all of it is committed before this returns.
        `first` comes before them, and may take a lock that they all would take. Where the transaction fails, each is
        run once more on its own, so that none suffers from another; each must be idempotent as for `write`. Raises
        Unavailable as `write` does.
        """
        if len(works) <= 1:
            return [outcome(work) for work in works]
        try:
            return self._run(lambda: self._each(works, first), self._transaction)
        except _DRIVER_ERRORS:
            logger.warning("database: %d requests at once failed, each is tried on its own", len(works), exc_info=True)
            return [outcome(work) for work in works]

    def _each(self, works: Sequence[Callable[[], T]], first: Callable[[], object]) -> list[T | Exception]:
        self._shared.is_open = True
        try:
            first()
            return [outcome(partial(self._part, work), fatal=_DRIVER_ERRORS) for work in works]
        finally:
            self._shared.is_open = False

    def _is_shared(self) -> bool:
        return getattr(self._shared, "is_open", False)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a cursor of either driver
        """Execute SQL that both databases know, with `?` for each parameter."""
        if self.is_sqlite:
            return self.database.execute_sql(statement, parameters)
        translated = self._statements.get(statement)
        if translated is None:
            translated = self._statements[statement] = statement.replace("?", "%s")
        return self.database.execute_sql(translated, parameters)

    def execute_rows(self, statement: str, rows: Iterable[Sequence[Any]]) -> list[int]:
        """Execute SQL on SQLite for one row of parameters after the other; tell how many each changed."""
        cursor = self.database.cursor()
        with ExceptionWrapper(EXCEPTIONS):
            return [cursor.execute(statement, row).rowcount for row in rows]

    def _run(self, work: Callable[[], T], unit: Callable[[], Any]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with unit():
                    return work()
            except MaxConnectionsExceeded as error:
                raise Unavailable("All connections to the database are in use.") from error
            except _DRIVER_ERRORS as error:
                lost = self._lost(error)
                if lost:
                    self._forget_connections()
                if not (lost or _transient(error)):
                    if _is_no_database(error):
                        raise ValueError(f"{self.path} is not a database of SQLite. Name another file.") from error
                    if _unavailable(error):
                        raise Unavailable("The database does not answer.") from error
                    raise
                if attempt == ATTEMPTS:
                    raise Unavailable("The database does not answer.") from error
                logger.warning("database: attempt %d of %d failed, trying again: %s", attempt, ATTEMPTS, type(error))
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - a pause, not a secret
        raise AssertionError("unreachable")

    def _connect(self) -> None:
        """Give this thread a connection.

        SQLite does not wait where a new file is made one with a write-ahead log while another connection writes to
        it, as servers do that start at the same moment: it is tried again for as long as a busy database is waited for.
        """
        until = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                self.database.connect(reuse_if_open=True)
            except OperationalError as error:
                if not _is_busy(error) or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(0, 0.02))  # noqa: S311 - a pause, not a secret
            else:
                return

    @contextmanager
    def _connected(self) -> Iterator[None]:
        self._connect()
        yield

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        self._connect()
        with self.database.atomic():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connect()
        if not self.is_sqlite:
            with self.database.atomic():
                yield
            return
        if not self._writing.acquire(timeout=self._busy_timeout_seconds):
            raise Unavailable("Other writers did not finish in time.")
        try:
            # IMMEDIATE: the write lock is taken at the start, where SQLite waits for it. A reader that becomes a
            # writer later would fail at once instead.
            with self.database.atomic("IMMEDIATE"):
                yield
        finally:
            self._writing.release()

    def _part(self, work: Callable[[], T]) -> T:
        """Run a part of a shared transaction, and undo what it did where it raises.

        peewee names each savepoint anew, so that each would be a statement that the database does not know yet.
        """
        self.execute("SAVEPOINT part")
        try:
            done = work()
        except BaseException:
            if not self.is_sqlite or self.database.connection().in_transaction:
                self.execute("ROLLBACK TO part")
                self.execute("RELEASE part")
            raise
        self.execute("RELEASE part")
        return done

    def _lost(self, error: Exception) -> bool:
        """Tell whether the connection itself failed."""
        if self.is_sqlite:
            return False
        state = _sqlstate(error)
        return state.startswith(_LOST_SQLSTATES) or (
            state == "" and isinstance(error, OperationalError | InterfaceError)
        )

    def _forget_connections(self) -> None:
        """Close this thread's connection and the idle ones: where one is lost, the others most likely are."""
        try:
            self.database.manual_close()
        except _DRIVER_ERRORS:
            logger.debug("closing a lost connection failed", exc_info=True)
        self.database.close_idle()


def outcome(work: Callable[[], T], fatal: tuple[type[Exception], ...] = ()) -> T | Exception:
    """Do work, and give what it gives or raises; what is fatal is raised."""
    try:
        return work()
    except fatal:
        raise
    except Exception as error:
        return error


def _postgresql_url(url: str) -> str:
    """Check a URL of PostgreSQL.

    Raises ValueError where it is none, without a word of it: it may have a password.
    """
    url = url.replace("postgres://", "postgresql://", 1)
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        raise ValueError(
            "The URL of the database is none of PostgreSQL. Write postgresql://USER:PASSWORD@HOST/NAME, and write what "
            "is special in the password with a percent sign (% is %25, @ is %40, / is %2F)."
        ) from None
    return url


def _sqlite_path(url: str) -> str:
    """Read `sqlite:///relative`, `sqlite:////absolute`, or the plain path of a file.

    Raises ValueError where the URL is of another kind.
    """
    if url.startswith(("postgresql:", "postgres:")):
        raise ValueError("The URL of the database is none of PostgreSQL. Write postgresql://USER:PASSWORD@HOST/NAME.")
    path = url
    if url.startswith("sqlite:"):
        if not url.startswith("sqlite:///") or len(url) == len("sqlite:///"):
            raise ValueError(f"{url!r} names no file. Write sqlite:///FILE, or sqlite:////ABSOLUTE/FILE.")
        path = unquote(url.removeprefix("sqlite:///"))
    elif "://" in url:
        scheme = url.split("://", 1)[0]
        raise ValueError(f"{scheme}:// is no database that Sendmeter knows. Write sqlite:///FILE or postgresql://….")
    if path == ":memory:":
        raise ValueError("Sendmeter keeps its data in a file. Write sqlite:///FILE.")
    parent = Path(path).absolute().parent
    if not parent.is_dir():
        raise ValueError(f"There is no folder {parent} for the database. Make it, or name another file.")
    return path


def _sqlstate(error: Exception) -> str:
    """Give the five characters of PostgreSQL's error code, or nothing."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _transient(error: Exception) -> bool:
    return _sqlstate(error) in _TRANSIENT_SQLSTATES


def _is_no_database(error: Exception) -> bool:
    return _sqlite_errorname(error) == "SQLITE_NOTADB"


def _is_busy(error: Exception) -> bool:
    return _sqlite_errorname(error).startswith("SQLITE_BUSY")


def _sqlite_errorname(error: Exception) -> str:
    return getattr(getattr(error, "orig", None), "sqlite_errorname", "")


def _unavailable(error: Exception) -> bool:
    """Tell whether the database is there but cannot work: locked, full, out of reach, shutting down."""
    original = getattr(error, "orig", None)
    if isinstance(original, sqlite3.Error):
        name = getattr(original, "sqlite_errorname", "")
        return any(name.startswith(prefix) for prefix in _SQLITE_UNAVAILABLE)
    # 55P03: a lock was not to be had in time; 25006: a standby, or a database that is read-only for another reason.
    return _sqlstate(error)[:2] in ("53", "57", "58") or _sqlstate(error) in ("55P03", "25006")


def violates_bounds(error: Exception) -> bool:
    """Tell whether a value did not fit: a check failed (23514), or a number left its type (22003)."""
    original = getattr(error, "orig", None)
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_CHECK"
    return _sqlstate(error) in ("23514", "22003")
