"""States of a server in which a generated client gets each documented error, made as in provoked_responses.py."""

from contextlib import contextmanager

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.contract.provoked_responses import World, break_database, locked_server, provoked
from tests.live import live_server

PROVOKED = provoked()


def key_that_meets(server, operation_id, status):
    """Return a key for which an operation ends in an error."""
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
