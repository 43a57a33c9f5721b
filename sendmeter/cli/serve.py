"""`sendmeter serve`: the server."""

import gc
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click
import uvicorn

from sendmeter.cli.options import database_option
from sendmeter.contract import contract
from sendmeter.serving.descriptors import allowed_connections
from sendmeter.serving.process import Server
from sendmeter.serving.room import Room
from sendmeter.serving.workers import Workers
from sendmeter.settings import Settings
from sendmeter.startup import configure_logging, connect, open_store
from sendmeter.store.health import check_permission

BACKLOG = 2048
STOP_SECONDS = 30

host_option = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen on; 0 for any."
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes serve.",
)


stop_timeout_option = click.option(
    "--stop-timeout",
    "stop_seconds",
    metavar="SECONDS",
    type=click.IntRange(1, 3600),
    default=STOP_SECONDS,
    show_default=True,
    help="How long requests under way may take once the server is told to stop.",
)


@click.command()
@host_option
@port_option
@workers_option
@stop_timeout_option
@database_option
def serve(host: str, port: int, workers: int, stop_seconds: int, database: str | None) -> None:
    """Start the server.

    It stops on Ctrl-C or SIGTERM, after the requests under way are answered; told so twice, at once. The contract is
    shown at /docs.
    """
    run(Settings.from_environment(database_url=database), host, port, workers, stop_seconds=stop_seconds)


def run(
    settings: Settings,
    host: str,
    port: int,
    workers: int,
    announce: Callable[[str], None] | None = None,
    *,
    stop_seconds: int = STOP_SECONDS,
) -> None:
    """Serve until told to stop; `announce` is called with the server's URL when it can be asked."""
    configure_logging(settings)
    connections = allowed_connections(settings)
    check_permission(connect(settings))
    # Lays the tables of an empty database, and refuses one of another version, before any worker starts.
    open_store(settings).close()
    with listening(host, port) as (listener, url):
        click.echo(f"Sendmeter listens on {url} (documentation: {url}/docs). Stop it with Ctrl-C.", err=True)
        if announce:
            announce(url)

        def server() -> Server:
            room = Room(connections, settings.request_timeout_seconds)
            config = configured(partial(_application, settings), room, factory=True, lifespan="on")
            return Server(config, listener, stop_seconds, room)

        if workers == 1:
            server().serve_alone()
        else:
            _preload()
            sys.exit(Workers(workers, lambda link: server().serve_as_worker(link), listener, stop_seconds).run())


def _application(settings: Settings) -> Any:  # noqa: ANN401 - connexion's
    with without_collecting():
        from sendmeter.app import create_app  # noqa: PLC0415 - connexion, which no other command should wait for

        # Its schema was looked at; a worker that starts anew while the database is away answers 503 as the others do.
        return create_app(settings, store=connect(settings, serves=True))


def _preload() -> None:
    """Read what each worker needs, before they are forked: once for all, in time and in memory.

    Nothing is opened and no thread is started, since neither would come through the fork whole.
    """
    with without_collecting():
        from sendmeter.app import handler_of  # noqa: PLC0415 - connexion, which no other command should wait for

        for operation_id in contract().operations:
            handler_of(contract(), operation_id)


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keep the garbage collector from looking, again and again, at what stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def configured(app: Any, room: Room | None = None, **options: Any) -> uvicorn.Config:  # noqa: ANN401 - uvicorn's
    """Configure uvicorn for an ASGI application of ours."""
    from sendmeter.serving.protocol import Protocol  # noqa: PLC0415 - with the contract, which not every command reads

    return uvicorn.Config(
        app,
        http=partial(Protocol, room=room or Room()),  # type: ignore[arg-type]  # called, not asked what it is
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # What is said of who is behind a proxy is not read: nothing depends on it, and anybody can say it.
        proxy_headers=False,
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
