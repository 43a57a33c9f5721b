"""`sendmeter serve`: the server."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
import uvicorn
from uvicorn.supervisors import Multiprocess

from sendmeter.cli.options import database_option
from sendmeter.settings import Settings
from sendmeter.startup import configure_logging, open_store

BACKLOG = 2048
STOP_SECONDS = 30

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen on; 0 for any."
)
workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes serve."
)


@click.command()
@host_option
@port_option
@workers_option
@database_option
def serve(host: str, port: int, workers: int, database: str | None) -> None:
    """Start the server.

    It stops on Ctrl-C or SIGTERM, after the requests under way are answered. The contract is shown at /docs.
    """
    run(Settings.from_environment(database_url=database), host, port, workers)


def run(settings: Settings, host: str, port: int, workers: int, announce: Callable[[str], None] | None = None) -> None:
    """Serve until told to stop; `announce` is called with the server's URL when it can be asked."""
    configure_logging(settings)
    # Lays the tables of an empty database, and refuses one of another version, before any worker starts.
    open_store(settings).close()
    os.environ.update(settings.to_environment())
    config = configured("sendmeter.app:from_environment", factory=True, workers=workers, lifespan="on")
    with listening(host, port) as (listener, url):
        click.echo(f"Sendmeter listens on {url} (documentation: {url}/docs). Stop it with Ctrl-C.", err=True)
        if announce:
            announce(url)
        # uvicorn stops gracefully on Ctrl-C, and then raises it again: to have stopped is what was asked for.
        with suppress(KeyboardInterrupt):
            if workers == 1:
                uvicorn.Server(config).run(sockets=[listener])
            else:
                Multiprocess(config, sockets=[listener]).run()


def configured(app: Any, **options: Any) -> uvicorn.Config:  # noqa: ANN401 - uvicorn's
    """Configure uvicorn for an ASGI application of ours."""
    return uvicorn.Config(
        app,
        http="sendmeter.web.protocol:Protocol",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        **options,
    )


@contextmanager
def listening(host: str, port: int) -> Iterator[tuple[socket.socket, str]]:
    """Listen at once, so that whoever is told the URL can ask: what comes early waits for the first worker.

    Gives the socket and its URL.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. Try --port.") from error
        listener.set_inheritable(True)
        yield listener, f"http://{_shown(host)}:{listener.getsockname()[1]}"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
