"""A server that stands in for the providers, and the way out to it."""

import pytest

from sendmeter.integrations.http_client import Outgoing
from tests.integrations.standin import StandIn


@pytest.fixture
def standin():
    """A stand-in for the providers, with no prices yet."""
    with StandIn() as server:
        yield server


@pytest.fixture
def outgoing(standin):
    """The way out, which leads to the stand-in and has time even on a busy machine."""
    way = Outgoing(test_url=standin.url, timeout_seconds=20)
    yield way
    way.close()


@pytest.fixture
def hurried(standin):
    """The way out for servers that never answer: it waits for two seconds."""
    way = Outgoing(test_url=standin.url, timeout_seconds=2)
    yield way
    way.close()
