"""A server that the attacks of a module share, and who attacks it."""

import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import organizations
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.contract.provoked_responses import World
from tests.live import Clock, live_server
from tests.web.raw import Caller


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A real server over SQLite; each test makes organizations of its own on it."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('attack')}/test.db")
    upgrade(store)
    with live_server(store, Clock()) as live:
        yield live
    store.close()


@pytest.fixture
def world(shared_server):
    """A fresh organization that has something to lose."""
    return World.of(shared_server)


@pytest.fixture(scope="module")
def target(shared_server):
    """An organization that the attacks of a module share: what one does to it matters to none of the others."""
    return World.of(shared_server)


@pytest.fixture
def caller(shared_server):
    """A fresh organization's key, for requests as bytes."""
    store, clock = shared_server.store, shared_server.clock
    founded = organizations.create(store, "Test", Anchor(1, "UTC"), Caps(), clock(), by="test")
    return Caller(shared_server, founded.organization, founded.token)
