"""Worlds: for each session a store of its own, in a scenario, thrown away when it begins again or the mock ends."""

import asyncio
import itertools
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sendmeter.domain.keys import Key
from sendmeter.errors import Fault, InvalidRequest
from sendmeter.mock import scenarios
from sendmeter.mock.scenarios import Scenario
from sendmeter.settings import Settings
from sendmeter.startup import open_store
from sendmeter.store import Store

DEFAULT_SESSION = "default"
THREADS = 2
MOST_WORLDS = 32
"""Each has open files; past it the one that was not asked for the longest is forgotten."""
_SESSION = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class World:
    """One session's data: its store, the scenario that it began in, and the key that any token stands for."""

    scenario: Scenario
    path: Path
    store: Store
    caller: Key
    users: int = 0
    retired: bool = False

    def leave(self) -> None:
        """Release the world when a request is done with it."""
        self.users -= 1
        self._throw_away_if_done()

    def retire(self) -> None:
        """Throw it away, once the requests under way are answered."""
        self.retired = True
        self._throw_away_if_done()

    def _throw_away_if_done(self) -> None:
        if self.retired and not self.users:
            _throw_away(self.store, self.path)


def _throw_away(store: Store, path: Path) -> None:
    store.close()
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


@dataclass(eq=False)
class _Session:
    """What is known of a session; where it is between two worlds it has none. `users` are in it or wait for it."""

    scenario: Scenario
    world: World | None = None
    users: int = 0
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def restart(self, scenario: Scenario) -> None:
        """Leave its world for another, which begins when it is next asked for."""
        self.scenario = scenario
        if self.world is not None:
            self.world.retire()
            self.world = None


class Worlds:
    """The worlds of all sessions, and the threads that work in them. Of the event loop's thread alone."""

    def __init__(self, folder: Path, clock: Callable[[], datetime], scenario: Scenario) -> None:
        from sendmeter.services.vault import new_key  # noqa: PLC0415 - cryptography, which no other command needs

        self.settings = Settings(worker_threads=THREADS, secrets_key=new_key())
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="world")
        self.clock = clock
        self.ending: Callable[[], bool] = lambda: False
        self._scenario = scenario
        self._folder = folder
        self._numbers = itertools.count()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    @asynccontextmanager
    async def entered(self, session: str | None, scenario: str | None) -> AsyncIterator[World]:
        """Return a session's world, which stays until the block ends; begin it where there is none in the scenario.

        Raises InvalidRequest if the session or the scenario is none.
        """
        asked = None if scenario is None else scenarios.named(scenario)
        async with self._changing(session) as found:
            if asked is not None and asked != found.scenario:
                found.restart(asked)
            if found.world is None:
                found.world = await asyncio.get_running_loop().run_in_executor(
                    self.threads, self._begin, found.scenario
                )
            world = found.world
            world.users += 1
        try:
            yield world
        finally:
            world.leave()

    async def reset(self, session: str | None, scenario: str | None) -> Scenario:
        """Reset a session's world to a scenario, by default the one that it began in.

        Raises InvalidRequest if the session or the scenario is none.
        """
        asked = None if scenario is None else scenarios.named(scenario)
        async with self._changing(session) as found:
            found.restart(asked or found.scenario)
            return found.scenario

    def scenario_of(self, session: str | None) -> Scenario:
        """Return the scenario of a session, or the one that its world would begin in.

        Raises InvalidRequest if the session is none.
        """
        found = self._sessions.get(_checked(session))
        return self._scenario if found is None else found.scenario

    def close(self) -> None:
        """Throw all worlds away."""
        self.threads.shutdown()
        for found in self._sessions.values():
            found.restart(found.scenario)

    @asynccontextmanager
    async def _changing(self, session: str | None) -> AsyncIterator[_Session]:
        """Return a session that nobody else changes until the block ends."""
        name = _checked(session)
        found = self._sessions.get(name)
        if found is None:
            found = self._sessions[name] = _Session(self._scenario)
        self._sessions.move_to_end(name)
        found.users += 1
        try:
            self._forget_the_oldest()
            async with found.changing:
                yield found
        finally:
            found.users -= 1

    def _forget_the_oldest(self) -> None:
        """Forget sessions that nobody is in, the one first that was not asked for the longest."""
        idle = [
            name for name, each in self._sessions.items() if not each.users and not (each.world and each.world.users)
        ]
        for name in idle[: max(0, len(self._sessions) - MOST_WORLDS)]:
            session = self._sessions.pop(name)
            session.restart(session.scenario)
            logger.warning("more than %d sessions: the world of %r is forgotten", MOST_WORLDS, name)

    def _begin(self, scenario: Scenario) -> World:
        path = self._folder / f"world-{next(self._numbers)}.db"
        store = open_store(replace(self.settings, database_url=str(path)))
        try:
            return World(scenario, path, store, scenarios.begin(scenario, store, self.clock()))
        except BaseException:
            _throw_away(store, path)
            raise


def _checked(session: str | None) -> str:
    name = DEFAULT_SESSION if session is None else session
    if not _SESSION.fullmatch(name):
        raise InvalidRequest.of([Fault("header:X-Mock-Session", "is not a name of 1 to 128 letters, digits and ._:~-")])
    return name
