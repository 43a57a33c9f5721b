"""The tracking id: one for each request, on its answer and in each of its log lines."""

import base64
import logging
import secrets
import time
from contextvars import ContextVar

_NONE = "-"
_current: ContextVar[str] = ContextVar("tracking_id", default=_NONE)


def begin() -> str:
    """Assign a tracking id to the request that begins here."""
    # Milliseconds first, so that ids sort by time; ten random bytes, so that nobody guesses another's.
    raw = (time.time_ns() // 1_000_000).to_bytes(6) + secrets.token_bytes(10)
    tracking_id = "trk_" + base64.b32hexencode(raw).decode().rstrip("=").lower()
    _current.set(tracking_id)
    return tracking_id


def current() -> str:
    """Return the tracking id of the request that is answered here."""
    return _current.get()


class TrackingFilter(logging.Filter):
    """Adds `tracking_id` to each log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Accept every record."""
        record.tracking_id = _current.get()
        return True


class LineFormatter(logging.Formatter):
    """Writes each record so that nothing in it passes for another record, or is obeyed by a terminal.

    What is not printable is written as Python writes it; what stands on further lines, such as where an error was
    raised, is set in by four spaces.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        text = super().format(record)
        return text if text.isprintable() else "\n    ".join(map(_printable, text.split("\n")))


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)
