"""The server's bridge, but for three things: whose store a request is about, who asks, and answers on demand."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sendmeter.contract import Contract, Operation
from sendmeter.domain.keys import Key
from sendmeter.integrations.http_client import Outgoing
from sendmeter.mock.answers import on_demand
from sendmeter.mock.preferences import Preferences
from sendmeter.mock.worlds import World, Worlds
from sendmeter.services import keys
from sendmeter.store import Store
from sendmeter.web import security, tracking
from sendmeter.web.bridge import Bridge, Message, Request, Response, Scope

SESSION, SCENARIO, PREFER = b"x-mock-session", b"x-mock-scenario", b"prefer"
_STEP_SECONDS = 0.2
# A mock asks no provider: the port that discards what comes is nobody's.
_NOBODY = "http://127.0.0.1:9"


class MockBridge(Bridge):
    """Answers from the world of the request's session."""

    def __init__(self, wsgi_app: Callable[..., Any], *, contract: Contract, worlds: Worlds) -> None:
        outgoing = Outgoing(test_url=_NOBODY, timeout_seconds=worlds.settings.provider_timeout_seconds)
        super().__init__(wsgi_app, contract=contract, settings=worlds.settings, clock=worlds.clock, outgoing=outgoing)
        # Of the worlds, not of a bridge: a store keeps a connection for each thread that has used it.
        self.readers = self.writers = worlds.threads
        self.worlds = worlds

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer one request."""
        preferences = Preferences.read(lines_of(scope, PREFER))
        async with self.worlds.entered(line_of(scope, SESSION), line_of(scope, SCENARIO)) as world:
            await self._wait(preferences.delay_ms / 1000)
            scope["extensions"]["mock"] = world, preferences
            await super().__call__(scope, receive, send)

    async def answered(self, request: Request) -> Response:
        """Answer what is asked for by name at once, since nothing is looked up for it; all else on a thread."""
        if _preferences(request.scope).of_an_answer:
            return self.answer(request)
        return await super().answered(request)

    async def _wait(self, seconds: float) -> None:
        """Hold an answer back, but not the end of the mock."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self.worlds.ending():
            await asyncio.sleep(min(left, _STEP_SECONDS))

    def store_of(self, scope: Scope) -> Store:
        """Return the store of the world."""
        return _world(scope).store

    def caller_of(self, scope: Scope, operation: Operation, authorization: list[str], now: datetime) -> Key | None:
        """Return the caller's key: the key of the token if it was made in this world, else the scenario's."""
        if operation.public:
            return None
        world = _world(scope)
        key = keys.known(world.store, security.token_of(authorization), now) or world.caller
        security.check_scope(operation, key)
        return key

    def handled(self, operation: Operation, scope: Scope, environ: dict[str, Any]) -> Response:
        """Return the handler's response, unless another one is asked for."""
        preferences = _preferences(scope)
        if not preferences.of_an_answer:
            return super().handled(operation, scope, environ)
        answer = on_demand(self.contract, operation, preferences, tracking.current())
        return answer.start(), answer.body


def line_of(scope: Scope, name: bytes) -> str | None:
    """Read a header of one line."""
    return next(iter(lines_of(scope, name)), None)


def lines_of(scope: Scope, name: bytes) -> list[str]:
    """Read all lines of a header."""
    return [value.decode("latin-1").strip() for each, value in scope["headers"] if each == name]


def _preferences(scope: Scope) -> Preferences:
    preferences: Preferences = scope["extensions"]["mock"][1]
    return preferences


def _world(scope: Scope) -> World:
    world: World = scope["extensions"]["mock"][0]
    return world
