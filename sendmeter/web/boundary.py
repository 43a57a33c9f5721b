"""The outermost layer: gives each request its tracking id, refuses what connexion was not made for, answers errors.

Everything inside may raise; nothing raised inside gets past here. What it refuses first made connexion 3.3 answer 500
(docs/decisions/0002).
"""

import logging
import re
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any
from urllib.parse import unquote_to_bytes

from sendmeter.contract import Contract
from sendmeter.domain.keys import PREFIX
from sendmeter.errors import Fault, InvalidRequest, MethodNotAllowed, PayloadTooLarge, Refusal
from sendmeter.web import tracking
from sendmeter.web.bridge import operation_of
from sendmeter.web.documentation import Documentation
from sendmeter.web.envelope import SAFE_HEADERS, Answer, error_answer, no_such_path

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 1_048_576
PATH_SHOWN = 200
LINE_LIMIT = 8_192
_KEY = re.compile(rf"{PREFIX}[^/]*")
access_log = logging.getLogger("sendmeter.access")


class _Gone(Exception):  # noqa: N818 - no error: the client hung up
    """The client closed the connection before its request was complete."""


class Boundary:
    """ASGI middleware around connexion's."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, contract: Contract, pages: Documentation
    ) -> None:
        self.app = app
        self.contract = contract
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        tracking_id = tracking.begin()
        method, path = scope["method"], _shown(scope["path"])
        sender = _Sender(send, tracking_id, without_body=method == "HEAD")
        # The server keeps its own scope, where HEAD stays HEAD.
        scope = {**scope, "method": "GET" if method == "HEAD" else method, "extensions": {}}
        try:
            await self._answer(scope, receive, sender)
        except _Gone:
            access_log.info("%s %r gone after %.1f ms", method, path, (perf_counter() - started) * 1000)
            return
        except Exception as error:  # noqa: BLE001, RUF100 - the one place where everything raised becomes an answer
            operation = operation_of(self.contract, scope)
            documented = None if operation is None else frozenset(operation.answers)
            await sender.send_answer(error_answer(error, tracking_id, documented))
        access_log.info("%s %r %d %.1f ms", method, path, sender.status, (perf_counter() - started) * 1000)

    async def _answer(self, scope: Scope, receive: Receive, sender: "_Sender") -> None:
        _check_lines(scope)
        method, path = scope["method"], scope["path"]
        operations = self.contract.operations_at(path)
        allowed = tuple(sorted(operations)) or self.pages.methods_at(path)
        if not allowed:
            raise no_such_path()
        if method not in allowed:
            raise MethodNotAllowed(f"{path[:200]} does not know {method[:20]}.", allowed=allowed)
        if not operations:
            await sender.send_answer(await self.pages.answer(scope))
            return
        body = await _read(scope, receive, takes_body=bool(operations[method].bodies))

        async def receive_body() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_body, sender)


class _Sender:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Send, tracking_id: str, *, without_body: bool) -> None:
        self._send = send
        self._tracking_id = tracking_id.encode()
        self._without_body = without_body
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (b"x-tracking-id", self._tracking_id), *SAFE_HEADERS]
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        elif self._without_body:
            message = {**message, "body": b""}
        await self._send(message)

    async def send_answer(self, answer: Answer) -> None:
        await self(answer.start())
        await self({"type": "http.response.body", "body": answer.body})


def _shown(path: str) -> str:
    """Cut a path for the log, and take out of it what somebody took for the id of a key: the key."""
    return path[:PATH_SHOWN] if PREFIX not in path else _KEY.sub(f"{PREFIX}***", path[:PATH_SHOWN])


def _check_lines(scope: Scope) -> None:
    raw_path: bytes = scope["raw_path"]
    if len(raw_path) + len(scope["query_string"]) > LINE_LIMIT:
        raise InvalidRequest.of([Fault("path:", f"is longer than {LINE_LIMIT:,} bytes")])
    for name, value in scope["headers"]:
        if len(name) + len(value) > LINE_LIMIT:
            shown = name[:100].decode("latin-1")
            raise InvalidRequest.of([Fault(f"header:{shown}", f"is longer than {LINE_LIMIT:,} bytes")])
    if b"%" in raw_path:
        try:
            path = unquote_to_bytes(raw_path).decode()
        except UnicodeDecodeError:
            raise InvalidRequest.of([Fault("path:", "is not UTF-8")]) from None
        if "\0" in path:
            raise InvalidRequest.of([Fault("path:", "has the character NUL")])
        # The router sees them decoded: what a proxy in front took for one name would be two.
        if b"%2f" in raw_path.lower():
            raise no_such_path()


async def _read(scope: Scope, receive: Receive, *, takes_body: bool) -> bytes:
    too_large: Refusal = PayloadTooLarge(f"The body is larger than {BODY_LIMIT:,} bytes.", fix="Send less at once.")
    if not takes_body:
        too_large = InvalidRequest.of([Fault("", "the operation takes no body")])
    for name, value in scope["headers"]:
        # Zeros in front say nothing, and Python reads no more than 4,300 digits.
        if name == b"content-length" and int(value.lstrip(b"0") or b"0") > BODY_LIMIT:
            raise too_large
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_LIMIT:
            raise too_large
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)
