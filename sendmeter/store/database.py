"""The connection to the database: how it is opened, how a unit of work is run, which failures are tried again."""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from peewee import EXCEPTIONS, ExceptionWrapper, OperationalError  # type: ignore[attr-defined]  # not in its stub
from playhouse.pool import MaxConnectionsExceeded

from sendmeter.errors import Unavailable
from sendmeter.store import failures
from sendmeter.store.connections import Postgres, Sqlite
from sendmeter.store.failures import DRIVER_ERRORS, in_one_line
from sendmeter.store.urls import is_sqlite, sqlite_path

logger = logging.getLogger(__name__)
T = TypeVar("T")

ATTEMPTS = 5


class Store:
    """The data of all organizations, on SQLite or PostgreSQL.

    Each thread that uses a store keeps one connection of the pool until the store is closed.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = 16,
        busy_timeout_seconds: float = 5.0,
        answer_seconds: float | None = None,
    ) -> None:
        """Open nothing yet. `answer_seconds` is how long PostgreSQL may take for a statement; None sets no end."""
        self.url = url
        self._busy_timeout_seconds = busy_timeout_seconds
        self.is_sqlite = is_sqlite(url)
        # SQLite has one writer at a time: threads of this process queue here in turn, rather than in SQLite's
        # busy handler, which sleeps and may wake the last to come first.
        self._writing = threading.Lock()
        # One thread connects at a time, and those who wait for it meanwhile share its failure.
        self._connecting = threading.Lock()
        self._silent_at = 0.0
        # Whether this thread is within a transaction that several pieces of work share.
        self._shared = threading.local()
        self._statements: dict[str, str] = {}
        self._file: tuple[int, int] | None = None
        self.writing_failed = False
        """Whether the last unit of work that writes found no database that it could write to."""
        self.path = sqlite_path(url) if self.is_sqlite else None
        self.database: Postgres | Sqlite = (
            Postgres(url, connections, busy_timeout_seconds, answer_seconds)
            if self.path is None
            else Sqlite(self.path, connections, busy_timeout_seconds)
        )

    def close(self) -> None:
        """Close all connections."""
        self.database.close_all()
        self._file = None

    def read(self, work: Callable[[], T]) -> T:
        """Run queries that change nothing.

        Raises Unavailable if the database does not answer.
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

        A lost connection leaves a commit in doubt, so the work must be idempotent. Raises Unavailable if the
        database does not answer, or another writer does not finish in time.
        """
        return work() if self._is_shared() else self._written(work)

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
            return self._written(lambda: self._each(works, first))
        except DRIVER_ERRORS:
            logger.warning("database: %d requests at once failed, each is tried on its own", len(works), exc_info=True)
            return [outcome(work) for work in works]

    def _each(self, works: Sequence[Callable[[], T]], first: Callable[[], object]) -> list[T | Exception]:
        self._shared.is_open = True
        try:
            first()
            return [outcome(partial(self._part, work), fatal=DRIVER_ERRORS) for work in works]
        finally:
            self._shared.is_open = False

    def _is_shared(self) -> bool:
        return getattr(self._shared, "is_open", False)

    def clock(self) -> datetime:
        """Return the present instant by the clock that all servers of the store share: PostgreSQL's, or the machine's.

        To be called within a transaction.
        """
        if self.is_sqlite:
            return datetime.now(UTC)
        now: datetime = self.execute("SELECT clock_timestamp()").fetchone()[0]
        return now.astimezone(UTC)

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

    def check_file(self) -> None:
        """Refuse to go on with a file of SQLite that was moved, deleted or replaced: what it gets is lost.

        Raises Unavailable.
        """
        if self._file is not None and self._file != self._file_there():
            logger.error("database: %s is not the file any more that this process has opened", self.path)
            raise failures.MOVED.refusal()

    def _check_log(self) -> None:
        """Refuse to make a file of SQLite beside the log of one that is away: SQLite would throw that log away.

        Raises ValueError.
        """
        if self.path is None or self._file is not None:
            return
        file, log = Path(self.path), Path(f"{self.path}-wal")
        # In this order: whoever makes a database at this moment makes its file first.
        if log.exists() and log.stat().st_size and not file.exists():
            raise ValueError(
                f"There is no {file}, but {log}: it has what was recorded last in a database that was moved away or "
                f"deleted. Put {file} back, or move {log} to where that is now; if it was deleted, delete {log}."
            )

    def _written(self, work: Callable[[], T]) -> T:
        try:
            done = self._run(work, self._transaction)
        except Unavailable:
            self.writing_failed = True
            raise
        self.writing_failed = False
        return done

    def _run(self, work: Callable[[], T], unit: Callable[[], Any]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with unit():
                    return work()
            except MaxConnectionsExceeded as error:
                raise failures.EXHAUSTED.refusal() from error
            except DRIVER_ERRORS as error:
                failures.quote_no_row(error)
                if failures.is_lost(error) or failures.outlives_its_reason(error):
                    self.database.cut()
                if failures.is_no_database(error):
                    raise ValueError(f"{self.path} is not a database of SQLite. Name another file.") from error
                again = failures.is_lost(error) or failures.is_transient(error)
                if not again or failures.is_silent(error) or attempt == ATTEMPTS:
                    cause = failures.cause_of(error)
                    if cause is None:
                        raise
                    raise cause.refusal() from error
                if attempt == 1:
                    logger.warning("database: a unit of work failed and is tried again: %s", in_one_line(error))
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - a pause, not a secret
        raise AssertionError("unreachable")

    def _connect(self) -> None:
        """Connect this thread, if it has no connection or lost the one that it had."""
        if self.database.is_connected():
            return
        asked = time.monotonic()
        if not self._connecting.acquire(timeout=self._busy_timeout_seconds):
            raise failures.SILENT.refusal()
        try:
            if self._silent_at > asked:
                raise failures.SILENT.refusal()
            self.check_file()
            self._check_log()
            self.database.manual_close()
            self._connect_patiently()
            if self.is_sqlite and self._file is None:
                self._file = self._file_there()
        except DRIVER_ERRORS as error:
            if failures.is_silent(error):
                self._silent_at = time.monotonic()
            raise
        finally:
            self._connecting.release()

    def _connect_patiently(self) -> None:
        """Connect.

        SQLite does not wait where a new file is made one with a write-ahead log while another connection writes to
        it, as servers do that start at the same moment: it is tried again for as long as a busy database is waited for.
        """
        until = time.monotonic() + self._busy_timeout_seconds
        while True:
            try:
                self.database.connect(reuse_if_open=True)
            except OperationalError as error:
                if not failures.is_busy(error) or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(0, 0.02))  # noqa: S311 - a pause, not a secret
            else:
                return

    def _file_there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path or "")  # noqa: PTH116 - at each commit: a third of what Path.stat takes
        except OSError:
            return None
        return found.st_dev, found.st_ino

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
            raise failures.CROWDED.refusal()
        try:
            # IMMEDIATE: the write lock is taken at the start, where SQLite waits for it. A reader that becomes a
            # writer later would fail at once instead.
            with self.database.atomic("IMMEDIATE"):
                yield
                self.check_file()
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
            if self.database.is_connected() and (not self.is_sqlite or self.database.connection().in_transaction):
                self.execute("ROLLBACK TO part")
                self.execute("RELEASE part")
            raise
        self.execute("RELEASE part")
        return done


def outcome(work: Callable[[], T], fatal: tuple[type[Exception], ...] = ()) -> T | Exception:
    """Do work, and give what it gives or raises; what is fatal is raised."""
    try:
        return work()
    except fatal:
        raise
    except Exception as error:
        return error
