"""What a failure of the database means: whether it is tried again, and what is said of it.

Callers are told a cause in general words and what helps; the operator finds the database's own words in the log.
"""

import sqlite3
from dataclasses import dataclass

from peewee import DatabaseError, InterfaceError, OperationalError
from psycopg import Error as PostgresError
from psycopg import OperationalError as PostgresOperationalError
from psycopg.errors import ConnectionTimeout

from sendmeter.errors import DatabaseUnavailable

DRIVER_ERRORS = (DatabaseError, InterfaceError)
SHOWN = 500
"""How much of the database's own words a line of the log has."""

# Deadlock, serialization failure, a failure of a distributed commit: the transaction is tried again.
_TRANSIENT_SQLSTATES = ("40P01", "40001", "XX000")
# A connection that failed, whose server stops or starts, or that was ended for its idleness or the age of its
# transaction: tried again on a new connection.
_LOST_SQLSTATES = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")


class NotAnswering(PostgresOperationalError):  # noqa: N818 - what the matter is, not that it is one
    """PostgreSQL was asked, and says nothing: frozen, or behind a network that carries nothing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the database cannot work, and what its operator can do."""

    message: str
    advice: str

    def refusal(self) -> DatabaseUnavailable:
        """Refuse what was asked for. Nothing is said of where the database is."""
        return DatabaseUnavailable(
            self.message, fix=f"{DatabaseUnavailable.fix} If it stays so, its operator should {self.advice}."
        )


SILENT = Cause("The database does not answer.", "see whether the database runs and can be reached")
FULL = Cause("The disk of the database is full.", "free space on the disk of the database")
READ_ONLY = Cause(
    "The database cannot be written to.",
    "let the server write to the database, the files beside it (-wal, -shm) and their folder, and see that it is no "
    "read-only copy",
)
LOCKED = Cause(
    "Another process keeps the database locked.", "end what has kept the database, or a part of it, locked for so long"
)
CROWDED = Cause("Other writers did not finish in time.", "look at what the database is busy with")
FAILING = Cause("The disk of the database fails.", "see whether the disk of the database is sound and has space")
EXHAUSTED = Cause(
    "All connections to the database are in use.", "look at what the database is busy with, or allow more connections"
)
OVERLOADED = Cause("The database lacks resources.", "give the database more memory or connections")
BROKEN_OFF = Cause("The database broke off what was asked for.", "look at the timeouts of the database, or who cancels")
MOVED = Cause(
    "The database's file is not there any more, or is another one.",
    "put back the file that the server was started with, or start the server anew",
)

# The longest prefix counts.
_SQLITE_CAUSES = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_PROTOCOL": LOCKED,
    "SQLITE_FULL": FULL,
    "SQLITE_IOERR": FAILING,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_PERM": READ_ONLY,
    "SQLITE_CANTOPEN": READ_ONLY,
}
_POSTGRES_CAUSES = {
    "25006": READ_ONLY,
    "42501": READ_ONLY,
    "53": OVERLOADED,
    "53100": FULL,
    "53300": EXHAUSTED,
    "55P03": LOCKED,
    "57": SILENT,
    "57014": BROKEN_OFF,
    "58": FAILING,
}


def cause_of(error: Exception) -> Cause | None:
    """Return why the database is there but cannot work: locked, full, out of reach, …; None where a mistake is ours."""
    if is_lost(error) or is_transient(error):
        return SILENT
    code, causes = (
        (sqlite_errorname(error), _SQLITE_CAUSES)
        if isinstance(_original(error), sqlite3.Error)
        else (_sqlstate(error), _POSTGRES_CAUSES)
    )
    known = [prefix for prefix in causes if code.startswith(prefix)]
    return causes[max(known, key=len)] if known else None


def is_lost(error: Exception) -> bool:
    """Return whether the connection to PostgreSQL itself failed."""
    if isinstance(_original(error), sqlite3.Error):
        return False
    state = _sqlstate(error)
    return state.startswith(_LOST_SQLSTATES) or (state == "" and isinstance(error, OperationalError | InterfaceError))


def is_transient(error: Exception) -> bool:
    """Return whether PostgreSQL asks for the transaction to be tried again."""
    return _sqlstate(error) in _TRANSIENT_SQLSTATES


def is_silent(error: Exception) -> bool:
    """Return whether the time for an answer has passed: to wait as long once more would keep callers waiting."""
    return isinstance(_original(error), NotAnswering | ConnectionTimeout)


def outlives_its_reason(error: Exception) -> bool:
    """Return whether a connection of SQLite would go on failing: what was opened as read-only stays so."""
    return sqlite_errorname(error).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR"))


def is_no_database(error: Exception) -> bool:
    """Return whether a file is not SQLite's."""
    return sqlite_errorname(error) == "SQLITE_NOTADB"


def is_busy(error: Exception) -> bool:
    """Return whether another connection of SQLite keeps this one from going on."""
    return sqlite_errorname(error).startswith("SQLITE_BUSY")


def violates_bounds(error: Exception) -> bool:
    """Return whether a value did not fit: a check failed (23514), or a number left its type (22003)."""
    if isinstance(_original(error), sqlite3.Error):
        return sqlite_errorname(error) == "SQLITE_CONSTRAINT_CHECK"
    return _sqlstate(error) in ("23514", "22003")


def sqlite_errorname(error: BaseException) -> str:
    """Name SQLite's error, or give nothing."""
    return getattr(_original(error), "sqlite_errorname", "")


def quote_no_row(error: BaseException) -> None:
    """Take out of an error's words the row that PostgreSQL quotes where it refuses one (DETAIL): they are logged."""
    original = _original(error)
    if isinstance(original, PostgresError) and original.diag.message_primary:
        error.args = original.args = (original.diag.message_primary,)


def in_one_line(error: BaseException) -> str:
    """Write the database's own words for the log: on one line, with its code."""
    code = sqlite_errorname(error) or _sqlstate(error) or type(_original(error) or error).__name__
    return f"{' '.join(str(_original(error) or error).split())[:SHOWN]} ({code})"


def _original(error: BaseException) -> object:
    return getattr(error, "orig", None)


def _sqlstate(error: BaseException) -> str:
    """Return the five characters of PostgreSQL's error code, or nothing."""
    return getattr(_original(error), "sqlstate", None) or ""
