"""The mock over real worlds, on loopback, with a clock that stands still until a test moves it."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from sendmeter.contract import find
from sendmeter.mock.app import create_mock
from sendmeter.mock.scenarios import DEFAULT
from sendmeter.mock.worlds import Worlds
from tests.live import NOON, Clock, check_answer, served


@dataclass
class MockClient:
    """A caller of the mock. Every answer is checked against the contract, those on demand too."""

    url: str
    http: httpx.Client
    clock: Clock
    folder: Path
    session: str

    def __call__(
        self, method, path, *, token="any-token", session=None, scenario=None, prefer=None, headers=(), **sent
    ):
        wanted = {
            "authorization": token and f"Bearer {token}",
            "x-mock-session": session or self.session,
            "x-mock-scenario": scenario,
            "prefer": prefer,
            **dict(headers),
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        answer = self.http.request(method, self.url + path, headers=given, **sent)
        check_answer(method, path.partition("?")[0], answer)
        return answer


_numbers = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A mock of all tests of a module."""
    clock, folder = Clock(), tmp_path_factory.mktemp("worlds")
    worlds = Worlds(folder, clock, DEFAULT)
    with served(create_mock(find(), worlds)) as url, httpx.Client(timeout=30) as http:
        yield MockClient(url, http, clock, folder, "")
    worlds.close()


@pytest.fixture
def mock(running):
    """The mock in a session of the test's own, at noon of 20 November 2026."""
    running.clock.now = NOON
    return replace(running, session=f"test-{next(_numbers)}")
