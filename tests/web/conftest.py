"""A server that the tests of a module share: starting one costs more than most of them."""

import pytest

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import Clock, live_server
from tests.web.raw import Caller


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A real server over SQLite; each test makes an organization of its own on it."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('web')}/test.db")
    upgrade(store)
    with live_server(store, Clock()) as live:
        yield live
    store.close()


@pytest.fixture
def caller(shared_server):
    """A fresh organization's key, for requests as bytes."""
    organization, client = shared_server.organization()
    return Caller(shared_server, organization, client.token)
