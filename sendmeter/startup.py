"""What comes before any work: the clock, the log, and a database of this version."""

import logging.config
from datetime import UTC, datetime

from sendmeter.errors import Refusal
from sendmeter.services.health import advice_on
from sendmeter.settings import Settings
from sendmeter.store import Store
from sendmeter.store.schema import state_of, upgrade

SPARE_CONNECTIONS = 5
"""For the event loop's thread, the one that records on SQLite, the one that tells whether the server is ready, the
worker that asks for prices, and what is asked beside requests."""
BEYOND_A_LOCK_SECONDS = 1.0
"""How much longer a statement of a server may take than PostgreSQL waits for a lock."""


class UnknownSchema(Exception):  # noqa: N818 - what to do is said in its message
    """The database has a schema that this version does not know; the message says what to do."""


def utc_now() -> datetime:
    """Read the clock. Everything below the edge is told the time."""
    return datetime.now(UTC)


def open_store(settings: Settings) -> Store:
    """Open the database, and lay its tables where it is empty.

    Raises UnknownSchema if it was written by an older or a newer version, ValueError where the URL is no database's,
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


def connect(settings: Settings, *, serves: bool = False) -> Store:
    """Open the database as it is; one that `serves` has an end to waiting for each statement, as commands have not."""
    return Store(
        settings.database_url,
        connections=2 * settings.worker_threads + SPARE_CONNECTIONS,
        busy_timeout_seconds=settings.busy_timeout_seconds,
        answer_seconds=settings.busy_timeout_seconds + BEYOND_A_LOCK_SECONDS if serves else None,
    )


def configure_logging(settings: Settings) -> None:
    """Log to standard error, one line a record, each with the tracking id of its request."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"tracking": {"()": "sendmeter.web.tracking.TrackingFilter"}},
            "formatters": {
                "line": {
                    "class": "sendmeter.web.tracking.LineFormatter",
                    "format": "%(asctime)s %(levelname)s %(name)s %(tracking_id)s %(message)s",
                }
            },
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tracking"]},
            },
            "root": {"level": settings.log_level.upper(), "handlers": ["stderr"]},
            # What connexion warns of at each request (several media types for one body) is meant.
            # What httpx tells of each request has the provider's ids of accounts and messages; what peewee and httpcore
            # tell of each has what was sent, the hash of its key, and the headers of answers.
            "loggers": {
                "connexion": {"level": "ERROR"},
                "httpx": {"level": "WARNING"},
                "peewee": {"level": "INFO"},
                "httpcore": {"level": "INFO"},
            },
        }
    )
