"""States of a server in which each documented error is what a generated client gets, made as provoked.py makes them."""

from contextlib import contextmanager

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.contract.provoked import World, break_database, locked_server, provoked
from tests.live import live_server

PROVOKED = provoked()
CODES = {
    400: "invalid_request",
    401: "unauthorized",
    402: "usage_limit_exceeded",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    502: "provider_error",
    503: "unavailable",
}


def key_that_meets(server, operation_id, status):
    """Give a key for which an operation ends in an error."""
    answer = PROVOKED[operation_id, status](server)
    assert answer.status_code == status
    return answer.request.headers["authorization"].removeprefix("Bearer ")


@contextmanager
def busy(server):
    """Serve the same store so that there is no room for a request that writes."""
    with live_server(server.store, server.clock, max_waiting=0) as live:
        yield live


@contextmanager
def unavailable(server):
    """Serve a copy of the store whose database somebody else has."""
    with locked_server(server) as (live, _):
        yield live


@contextmanager
def broken(server, folder):
    """Serve a store of its own that lacks tables; give the server and its world of before."""
    store = Store(f"sqlite:///{folder}/broken.db")
    upgrade(store)
    with live_server(store, server.clock) as live:
        world = World.of(live)
        break_database(live)
        yield live, world
    store.close()
