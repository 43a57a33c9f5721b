"""What comes before any work: the clock, the log, and a database of this version."""

import logging.config
from datetime import UTC, datetime

from sendmeter.errors import Refusal
from sendmeter.services.health import advice_on
from sendmeter.settings import Settings
from sendmeter.store import Store
from sendmeter.store.schema import state_of, upgrade

SPARE_CONNECTIONS = 4
"""For the event loop's thread, the one that records on SQLite, the worker that asks for prices, and what is asked
beside requests."""


class UnknownSchema(Exception):  # noqa: N818 - what to do is said in its message
    """The database has a schema that this version does not know; the message says what to do."""


def utc_now() -> datetime:
    """Read the clock. Everything below the edge is told the time."""
    return datetime.now(UTC)


def open_store(settings: Settings) -> Store:
    """Open the database, and lay its tables where it is empty.

    Raises UnknownSchema where it was written by an older or a newer version, ValueError where the URL is no database's,
    and Unavailable where it does not answer.
    """
    store = connect(settings)
    try:
        state = state_of(store)
    except (Refusal, ValueError):
        store.close()
        raise
    advice = advice_on(state)
    if advice:
        store.close()
        raise UnknownSchema(advice)
    if state.is_empty:
        upgrade(store)
    return store


def connect(settings: Settings) -> Store:
    """Open the database as it is."""
    return Store(
        settings.database_url,
        connections=2 * settings.worker_threads + SPARE_CONNECTIONS,
        busy_timeout_seconds=settings.busy_timeout_seconds,
    )


def configure_logging(settings: Settings) -> None:
    """Log to standard error, one line a record, each with the tracking id of its request."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"tracking": {"()": "sendmeter.web.tracking.TrackingFilter"}},
            "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(tracking_id)s %(message)s"}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tracking"]},
            },
            "root": {"level": settings.log_level.upper(), "handlers": ["stderr"]},
            # What connexion warns of at each request (several media types for one body) is meant.
            # What httpx tells of each request has the provider's ids of accounts and messages.
            "loggers": {"connexion": {"level": "ERROR"}, "httpx": {"level": "WARNING"}},
        }
    )
