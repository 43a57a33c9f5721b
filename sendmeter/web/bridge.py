"""From the event loop to Flask, with at most one change of thread a request: key, validation, handler, database.

Connexion's own way (a2wsgi) changes threads three times and validates on the event loop, where a slow database would
stop all requests (docs/decisions/0002).
"""

import asyncio
import io
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from connexion.decorators.parameter import pythonic

from sendmeter.contract import Contract, Operation
from sendmeter.domain.instants import Clock
from sendmeter.domain.keys import Key
from sendmeter.errors import TooManyRequests, Unavailable
from sendmeter.integrations.http_client import Outgoing
from sendmeter.settings import Settings
from sendmeter.store import Store
from sendmeter.web import security, validation
from sendmeter.web.rates import Rates

# They say something of the connection, not of the request; werkzeug takes an offer to upgrade for a WebSocket, and
# fails where it finds fault with a host, which no handler asks for.
_CONNECTION_HEADERS = {b"connection", b"upgrade", b"keep-alive", b"transfer-encoding", b"content-length", b"host"}
Message = dict[str, Any]
Response = tuple[Message, bytes]
"""What starts an answer, as ASGI has it, and its body."""
Scope = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose operation is known, as it came."""

    operation: Operation
    scope: Scope
    body: bytes
    context: Context = field(default_factory=copy_context)
    arrived_at: float = field(default_factory=time.monotonic)


class Bridge(ABC):
    """An ASGI application around Flask's WSGI application; the innermost layer of connexion's stack."""

    def __init__(
        self,
        wsgi_app: Callable[..., Any],
        *,
        contract: Contract,
        settings: Settings,
        clock: Clock,
        outgoing: Outgoing,
        decision_clock: Clock | None = None,
    ) -> None:
        """Connect an application. What a transaction decides goes by `decision_clock`, all else by `clock`."""
        self.wsgi_app = wsgi_app
        self.contract = contract
        self.settings = settings
        self.clock = clock
        self.decision_clock = decision_clock or clock
        self.outgoing = outgoing
        # Writers wait for each other. Readers have threads of their own, so that they never wait for writers.
        self.readers = ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="reader")
        self.writers = ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="writer")
        self.limited_under_way = 0
        self.rates = Rates(settings.key_requests_per_second)

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer one request whose operation connexion has found."""
        operation = operation_of(self.contract, scope)
        if operation is None:
            raise LookupError("connexion found no operation for a path that the contract has")
        body = (await receive())["body"]
        # What may be refused for its number is what the contract says may be: writing, never reading.
        limited = 429 in operation.answers
        if limited and self.limited_under_way >= self.settings.max_waiting:
            raise TooManyRequests("The server has as many requests under way as it takes at once.")
        self.limited_under_way += limited
        try:
            start, answer = await self.answered(Request(operation, scope, body))
        finally:
            self.limited_under_way -= limited
        await send(start)
        await send({"type": "http.response.body", "body": answer})

    def close(self) -> None:
        """Wait for the requests under way."""
        self.readers.shutdown()
        self.writers.shutdown()

    @abstractmethod
    def store_of(self, scope: Scope) -> Store:
        """Return the store that a request is about."""

    def caller_of(self, scope: Scope, operation: Operation, authorization: list[str], now: datetime) -> Key | None:
        """Return the key that a request shows, or None if the operation requires none."""
        return security.caller(self.store_of(scope), operation, authorization, now)

    async def answered(self, request: "Request") -> Response:
        """Answer a request, on a thread that may wait for the database."""
        threads = self.readers if request.operation.method == "GET" else self.writers
        work = partial(request.context.run, self.answer, request)
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def answer(self, request: "Request") -> Response:
        """Answer: the key first, then the request's form, then the handler."""
        return self.handled(request.operation, request.scope, self.prepared(request))

    def prepared(self, request: "Request") -> dict[str, Any]:
        """Write a request, whose key and form are as the contract has it, as WSGI's, with what its handler may name.

        Raises Unavailable if the request waited too long for its turn: else those behind it would wait ever longer.
        """
        if time.monotonic() - request.arrived_at > self.settings.busy_timeout_seconds:
            raise Unavailable("The server did not come to this request in time.")
        operation, scope, body = request.operation, request.scope, request.body
        now = self.clock()
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        caller = self.caller_of(scope, operation, authorization_of(scope), now)
        self.rates.take(operation, caller)
        given = validation.path_of(operation, scope.get("path_params", {}))
        given |= validation.query_of(operation, scope["query_string"])
        media_type, payload = validation.body_of(operation, headers, body)
        environ = _environ(scope, headers)
        environ[validation.GIVEN] = {
            "store": self.store_of(scope),
            "settings": self.settings,
            "outgoing": self.outgoing,
            "now": now,
            "clock": self.decision_clock,
            "caller": caller,
            "headers": headers,
            "media_type": media_type,
            "payload": payload,
            **{_argument(name): value for name, value in given.items()},
        }
        return environ

    def handled(self, _operation: Operation, _scope: Scope, environ: dict[str, Any]) -> Response:
        """Return the response of the operation's handler to a valid request."""
        start: Message = {"type": "http.response.start"}

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:  # noqa: ANN401 - WSGI's
            start["status"] = int(status[:3])
            start["headers"] = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

        parts = self.wsgi_app(environ, start_response)
        try:
            answer = b"".join(parts)
        finally:
            parts.close()
        return start, answer


@lru_cache
def _argument(name: str) -> str:
    """Name a parameter as connexion names it to handlers: `eventId` is `event_id`, `from` is `from_`."""
    return str(pythonic(name))


def authorization_of(scope: Scope) -> list[str]:
    """Read a request's Authorization headers."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]


def operation_of(contract: Contract, scope: Scope) -> Operation | None:
    """Return the operation that connexion's routing has found for a request."""
    routing = scope.get("extensions", {}).get("connexion_routing", {})
    return contract.operations.get(routing.get("operation_id"))


def _environ(scope: Scope, headers: dict[bytes, list[bytes]]) -> dict[str, Any]:
    """Write an ASGI request as WSGI's (PEP 3333), without its body, which was read: Flask would parse a form anew."""
    host, port = scope.get("server") or ("127.0.0.1", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "CONTENT_LENGTH": "0",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, values in headers.items():
        if name in _CONNECTION_HEADERS:
            continue
        text = name.decode("latin-1").upper().replace("-", "_")
        key = text if text == "CONTENT_TYPE" else f"HTTP_{text}"
        environ[key] = b",".join(values).decode("latin-1")
    return environ
