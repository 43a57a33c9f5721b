"""How many files a process may have open, and how many connections that leaves room for."""

import logging
import resource

import click

from sendmeter.serving.room import RESERVE, SPARE
from sendmeter.settings import Settings
from sendmeter.startup import SPARE_CONNECTIONS

FILES_OF_A_DATABASE_CONNECTION = 3
OTHERS = 64
"""For what listens, logs, is read, and asks providers."""
LEAST_CONNECTIONS = 16
logger = logging.getLogger(__name__)


def allowed_connections(settings: Settings) -> int:
    """Raise the limit on open files as far as needed, where that is allowed; give how many connections fit below it.

    Raises ClickException if that is next to none.
    """
    of_databases = FILES_OF_A_DATABASE_CONNECTION * (2 * settings.worker_threads + SPARE_CONNECTIONS)
    beside = of_databases + SPARE + RESERVE + OTHERS
    limit = _raised(settings.max_connections + beside)
    allowed = min(settings.max_connections, limit - beside)
    if allowed < min(LEAST_CONNECTIONS, settings.max_connections):
        raise click.ClickException(
            f"A process may have {limit} files open, which is too few. Allow {beside + LEAST_CONNECTIONS} (ulimit -n)."
        )
    if allowed < settings.max_connections:
        logger.warning(
            "A process may have %d files open: it keeps %d connections, not SENDMETER_MAX_CONNECTIONS (%d). "
            "Allow %d (ulimit -n).",
            limit,
            allowed,
            settings.max_connections,
            settings.max_connections + beside,
        )
    return allowed


def _raised(wanted: int) -> int:
    """Raise the limit to what is wanted, or as near to it as is allowed, and give it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:
        logger.warning("The limit on open files, %d, cannot be raised: %s", soft, error)
        return soft
    return most
