"""Worlds: for each session a store of its own, in a scenario, thrown away when it begins again or the mock ends."""

import asyncio
import itertools
import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
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
MOST_WORLDS = 64
"""Each has open files; past it the one that was not asked for the longest is forgotten."""
_SESSION = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
logger = logging.getLogger(__name__)


@dataclass(eq=False)
class World:
    """One session's data: its store, the scenario that it began in, and the key that any token stands for."""

    scenario: Scenario
    store: Store
    caller: Key
    users: int = 0
    retired: bool = False

    def leave(self) -> None:
        """Tell that a request is done with it."""
        self.users -= 1
        self._close_if_done()

    def retire(self) -> None:
        """Throw it away, once the requests under way are answered."""
        self.retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self.retired and not self.users:
            self.store.close()
            for file in Path(self.store.path or "").parent.glob(f"{Path(self.store.path or '').name}*"):
                file.unlink()


@dataclass(eq=False)
class _Session:
    """What is known of a session: where it is between two worlds it has none."""

    scenario: Scenario
    world: World | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in its world, or waits for it."""
        return not self.changing.locked() and (self.world is None or self.world.users == 0)

    def restart(self, scenario: Scenario) -> None:
        """Leave its world for another, which begins when it is next asked for."""
        self.scenario = scenario
        if self.world is not None:
            self.world.retire()
            self.world = None


class Worlds:
    """The worlds of all sessions. Of the event loop's thread alone."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime],
        scenario: Scenario,
    ) -> None:
        self.settings = Settings(worker_threads=THREADS)
        self.clock = clock
        self.scenario = scenario
        self._folder = folder
        self._numbers = itertools.count()
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    @asynccontextmanager
    async def entered(self, session: str | None, scenario: str | None) -> AsyncIterator[World]:
        """Give a session's world, which stays until the block ends; begin it where there is none in the scenario.

        Raises InvalidRequest where the session or the scenario is none.
        """
        found = self._session(session)
        wanted = found.scenario if scenario is None else scenarios.named(scenario)
        async with found.changing:
            if wanted != found.scenario:
                found.restart(wanted)
            if found.world is None:
                found.world = await asyncio.to_thread(self._begin, wanted)
            world = found.world
            world.users += 1
        try:
            yield world
        finally:
            world.leave()

    async def reset(self, session: str | None, scenario: str | None) -> Scenario:
        """Let a session's world begin again: in a scenario, or in the one that it was in."""
        found = self._session(session)
        async with found.changing:
            found.restart(found.scenario if scenario is None else scenarios.named(scenario))
        return found.scenario

    def close(self) -> None:
        """Throw all worlds away."""
        for found in self._sessions.values():
            found.restart(found.scenario)

    def _session(self, name: str | None) -> _Session:
        name = DEFAULT_SESSION if name is None else name
        if not _SESSION.fullmatch(name):
            fault = Fault("header:X-Mock-Session", "is not a name of 1 to 128 letters, digits and ._:~-")
            raise InvalidRequest.of([fault])
        found = self._sessions.setdefault(name, _Session(self.scenario))
        self._sessions.move_to_end(name)
        self._forget_the_oldest()
        return found

    def _forget_the_oldest(self) -> None:
        """Forget sessions that nobody is in, the one first that was not asked for the longest; never the newest."""
        idle = [name for name, session in list(self._sessions.items())[:-1] if session.is_idle]
        for name in idle[: max(0, len(self._sessions) - MOST_WORLDS)]:
            session = self._sessions.pop(name)
            session.restart(session.scenario)
            logger.warning("more than %d sessions: the world of %r is forgotten", MOST_WORLDS, name)

    def _begin(self, scenario: Scenario) -> World:
        path = self._folder / f"world-{next(self._numbers)}.db"
        store = open_store(replace(self.settings, database_url=str(path)))
        return World(scenario, store, scenarios.begin(scenario, store, self.clock()))
