"""`sendmeter mock`: the server for frontend teams, with nothing to set up."""

import logging
import signal
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click
import uvicorn

from sendmeter.cli.options import InstantType
from sendmeter.cli.serve import configured, host_option, listening, without_collecting
from sendmeter.contract import find
from sendmeter.mock.scenarios import DEFAULT, SCENARIOS
from sendmeter.mock.worlds import Worlds
from sendmeter.settings import Settings
from sendmeter.startup import configure_logging, utc_now

PORT = 4010
EARLIEST, LATEST = datetime(2001, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)
"""Earlier cycles must not begin before 2000, and later ones must end before 2100."""


def _within_reach(_context: click.Context, _option: click.Parameter, now: datetime | None) -> datetime | None:
    if now is not None and not EARLIEST <= now <= LATEST:
        raise click.BadParameter(f"Write an instant from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}.")
    return now


HELP = """Start a mock for frontend teams.

It is the server itself over data that is thrown away, with any bearer token accepted. What is recorded, held, voided
or limited is what it then answers. Headers choose more, for each request:

\b
X-Mock-Session: NAME    a world of its own for each name
X-Mock-Scenario: NAME   the state that the world begins in
Prefer: code=402        any documented answer; also example=NAME,
                        dynamic=true, seed=N, delay=MS

POST /mock/reset lets a world begin again; GET /mock lists the scenarios. All of it is told of at /docs.
"""


@click.command(help=HELP)
@host_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port to listen on; 0 for any."
)
@click.option(
    "--scenario",
    type=click.Choice(list(SCENARIOS)),
    default=DEFAULT.name,
    show_default=True,
    metavar="NAME",
    help=f"The state that worlds begin in: {', '.join(SCENARIOS)}.",
)
@click.option(
    "--now",
    type=InstantType(),
    callback=_within_reach,
    help="Let the clock stand still then, so that answers stay the same.",
)
@click.option(
    "--contract",
    "path",
    type=click.Path(path_type=Path),
    help="Another contract's file, such as one that is being written. It is followed when it changes.",
)
def mock(host: str, port: int, scenario: str, now: datetime | None, path: Path | None) -> None:
    """Serve the mock until told to stop."""
    from sendmeter.mock.app import create_mock  # noqa: PLC0415 - connexion, which no other command should wait for

    configure_logging(Settings.from_environment())
    # Two lines for each world that begins.
    logging.getLogger("peewee.migrations").setLevel(logging.WARNING)
    clock = utc_now if now is None else lambda: now
    with tempfile.TemporaryDirectory(prefix="sendmeter-mock-") as folder, listening(host, port) as (listener, url):
        worlds = Worlds(Path(folder), clock, SCENARIOS[scenario])
        with without_collecting():
            app = create_mock(path or find(), worlds)
        server = uvicorn.Server(configured(app, lifespan="off"))
        worlds.ending = lambda: server.should_exit
        click.echo(
            f"Sendmeter's mock listens on {url} (scenario {scenario}, documentation {url}/docs). Stop it with Ctrl-C.\n"
            f"Try it:  curl -H 'Authorization: Bearer any-token' {url}/organization/usage",
            err=True,
        )
        # uvicorn raises the signal that stopped it again: what is thrown away must not stay behind for that.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        # A terminal that is closed.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
