"""HTTP's lowest layer: uvicorn's, with a bounded header, bounded times, and our error body for what is not even HTTP.

uvicorn keeps a header of any size in memory, answers what it cannot parse in plain text (and before the requests that
came first on the connection are answered), and loses the body of a request that offers to upgrade the connection, as
Java's own client does with each first request. How long a client is waited for, and how many connections there may be,
`serving/room.py` knows.
"""

import asyncio
import logging
import re
import select
from functools import partial
from http import HTTPStatus
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from sendmeter.contract import contract
from sendmeter.errors import InvalidRequest, Refusal, Unavailable
from sendmeter.serving.room import Room
from sendmeter.web import tracking
from sendmeter.web.envelope import SAFE_HEADERS, error_answer

HEAD_LIMIT = 65_536
PIECE = 4_096
access_log = logging.getLogger("sendmeter.access")
_TOO_LARGE = f"The request's header is larger than {HEAD_LIMIT:,} bytes."
_FRAMING = (b"content-length", b"transfer-encoding")
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


class _Flow(FlowControl):
    """uvicorn's, which reads on whenever a request wants its body, be it whole, and whatever waits behind it."""

    holds = False

    def resume_reading(self) -> None:
        """Read on, unless what was read is still to be looked at."""
        if not self.holds:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """One connection."""

    _flow: _Flow

    def __init__(self, *args: Any, room: Room, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._room = room
        self._in_head = False
        self._resuming = False
        # Bytes since a header, a part of a body or a request was complete: of a header or a trailer without end.
        self._pending_size = 0
        # What came behind requests that wait for others, and is not looked at yet.
        self._rest = b""
        # The request that is answered now; `cycle` is the one that came last.
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's
        """Begin, if there is room."""
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport)
        if not self._room.enter(self, self.loop):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, _no_room())

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._take(self._rest + data if self._rest else data)

    def _take(self, data: bytes) -> None:
        """Read piece by piece, and no further than to a request that has to wait for another: each takes memory."""
        self._rest = b""
        self._flow.holds = False
        for start in range(0, len(data), PIECE):
            if self.pipeline:
                self._rest = data[start:]
                self._flow.pause_reading()
                self._flow.holds = True
                return
            if self.transport.is_closing():
                return
            self._take_piece(data[start : start + PIECE])

    def _take_piece(self, data: bytes) -> None:
        self._pending_size += len(data)
        try:
            self._feed(memoryview(data))
            self._check_size()
        except HttpParserError:
            self.send_400_response(_TOO_LARGE if self._pending_size > HEAD_LIMIT else "The request is not valid HTTP.")

    def _feed(self, data: memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as offer:
                self._pass_over_upgrade()
                data = data[offer.args[0] :]
            else:
                return

    def _check_size(self) -> None:
        if self._pending_size > HEAD_LIMIT:
            raise HttpParserError(_TOO_LARGE)

    def _pass_over_upgrade(self) -> None:
        """Read on as HTTP.

        The parser stopped at what it takes for another protocol: at the body, if there is one. A new parser reads on
        from there, after a head that says how long the body is.
        """
        self.parser = HttpRequestParser(self)
        framing = [b"%s: %s\r\n" % header for header in self.headers if header[0] in _FRAMING]
        if framing:
            self.cycle.more_body = True
            self._room.unfinished[self] = self.loop.time()
            self._resuming = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
            self._resuming = False

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._resuming:
            super().on_message_begin()
            self._in_head = True
            self._room.idle.pop(self, None)
            self._room.unfinished[self] = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line; pass over one that stands behind a body (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if not self._resuming:
            self._pending_size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            self._check_size()
            self._check_head()
            # Nobody of HTTP/1.0 waits for that, or would understand it (RFC 9110, 10.1.1).
            self.expect_100_continue &= self.parser.get_http_version() == "1.1"
            super().on_headers_complete()
            self._pending_size = 0
            self._in_head = False

    def _check_head(self) -> None:
        """Refuse what a proxy in front may read otherwise, so that no request hides in another (RFC 9112, 3.2, 6.1)."""
        version = self.parser.get_http_version()
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        hosts = [value for name, value in self.headers if name == b"host"]
        is_of_its_version = (version == "1.1" and hosts) or (version == "1.0" and not codings)
        is_of_one_host = len(hosts) <= 1 and all(_HOST.fullmatch(host) for host in hosts)
        if codings not in ([], [b"chunked"]) or b"#" in self.url or not is_of_its_version or not is_of_one_host:
            raise HttpParserError("can be read in two ways")

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._pending_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._pending_size = 0
        self._room.unfinished.pop(self, None)
        super().on_message_complete()
        # It may have been refused before it came to its end.
        self._idle_if_done()

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._room.untaken.setdefault(self, self.loop.time())
            return
        if self._room.unfinished.pop(self, None):
            # It may be that its rest was not read meanwhile.
            self._room.unfinished[self] = self.loop.time()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._idle_if_done()
        if self._rest:
            self._take(self._rest)
        self.flow.resume_reading()

    def takes_slowly(self) -> bool:
        """Return whether the client has yet to take what was written; if so, it is `untaken` until it has."""
        if not self.transport.get_write_buffer_size():
            return False
        # So that it is told when all is taken. For every connection this would write each part of an answer by itself.
        self.transport.set_write_buffer_limits(high=0)
        return True

    def pause_writing(self) -> None:
        """Write no more until the client takes what was written."""
        super().pause_writing()
        self._room.idle.pop(self, None)
        self._room.untaken.setdefault(self, self.loop.time())

    def resume_writing(self) -> None:
        """Write again."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._room.untaken.pop(self, None)
            self._idle_if_done()

    def _idle_if_done(self) -> None:
        """Be idle where nothing comes, nothing is answered, and no answer waits for the client."""
        is_done = (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()
        if is_done and self not in self._room.unfinished and self not in self._room.untaken:
            self._room.idle[self] = self.loop.time()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's gives None
        """Answer what came whole before the client said that nothing more comes; tell whether there is anything."""
        return self._end_with_answers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the request under way, whose client is gone; those behind it are not begun."""
        self._room.leave(self)
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._answering = cycle
        if self in self._room.beyond:
            cycle.keep_alive = False
            app = self.app if self._room.has_place(self) else self._answer_without_room
        if cycle.waiting_for_100_continue:
            app = partial(_answer_expecting, app, cycle)
        super()._start_asgi_task(cycle, app)

    async def _answer_without_room(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        """Say that the process lives, whoever asks for that, and all else that there is no room."""
        operation = contract().operations_at(scope["path"]).get("GET")
        if operation is not None and operation.operation_id == "health.live":
            await self.app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            # Answered before it was read, the client might never see the answer.
            pass
        tracking_id = tracking.begin()
        self._room.refused()
        access_log.info("%s 503 no room", scope["method"])
        answer = error_answer(_no_room(), tracking_id)
        start = answer.start()
        start["headers"] += [(b"x-tracking-id", tracking_id.encode()), (b"cache-control", b"no-store"), *SAFE_HEADERS]
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    def shutdown(self) -> None:
        """Close where nothing is answered, else once it is; who has sent a part of a request is told."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        elif self._room.unfinished.pop(self, None):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, Unavailable("The server stops."))
        else:
            self.end()

    def is_read(self) -> bool:
        """Return whether what comes is read, and not left to wait until something else is answered."""
        return not (self.flow.read_paused or self.pipeline)

    def has_unread(self) -> bool:
        """Return whether something came that is not read yet."""
        if self._rest or self.transport.is_closing():
            return not self.transport.is_closing()
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def end(self) -> None:
        """Close, once what was written is taken."""
        self._room.idle.pop(self, None)
        self._room.untaken.setdefault(self, self.loop.time())
        self.transport.close()

    def end_late(self) -> bool:
        """Refuse the request that does not come to its end; tell whether that closes the connection."""
        self._room.unfinished.pop(self, None)
        fix = "Send the same request again, on another connection. Nothing was stored."
        late = InvalidRequest("The request did not come to its end in time.", fix=fix)
        return self._refuse(HTTPStatus.REQUEST_TIMEOUT, late)

    def break_off(self) -> None:
        """Close at once."""
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 with the error body, unless what came first is not answered yet, and close the connection."""
        self._refuse(HTTPStatus.BAD_REQUEST, InvalidRequest(msg, fix="Send a request of HTTP/1.1 (RFC 9112)."))

    def _refuse(self, status: HTTPStatus, refusal: Refusal) -> bool:
        """Answer what is not a whole request, and close the connection.

        Where requests before it are still to be answered it gets no answer, and the connection ends with theirs: then
        it gives False.
        """
        if self._end_with_answers():
            return False
        cycle = self.cycle
        if cycle is None or self._in_head or not (cycle.more_body and cycle.response_started):
            self._write(status, refusal)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.end()
        return True

    def _end_with_answers(self) -> bool:
        """Read no more, and close once what came whole is answered; tell whether there is anything to be answered."""
        if self.pipeline and self.cycle.more_body and self._answering is not None:
            # The broken request waits behind others. It is forgotten, and the last of those ends the connection.
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._answering
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            self.flow.pause_reading()
            cycle.keep_alive = False
            return True
        return False

    def _write(self, status: HTTPStatus, refusal: Refusal) -> None:
        tracking_id = tracking.begin()
        access_log.info("no request %d: %s", status, refusal.message)
        answer = error_answer(refusal, tracking_id)
        headers = [
            *answer.headers,
            ("content-length", str(len(answer.body))),
            ("x-tracking-id", tracking_id),
            ("connection", "close"),
            ("cache-control", "no-store"),
            *((name.decode(), value.decode()) for name, value in SAFE_HEADERS),
        ]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.transport.write(f"HTTP/1.1 {status} {status.phrase}\r\n{lines}\r\n".encode() + answer.body)


async def _answer_expecting(app: Any, cycle: RequestResponseCycle, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
    """Answer a client that waits to be told to send its body.

    Where it is refused instead, what comes next may be that body or another request, so nothing is read any more
    (RFC 9110, 10.1.1).
    """

    async def sent(message: Any) -> None:  # noqa: ANN401 - ASGI's
        if cycle.waiting_for_100_continue and cycle.more_body:
            cycle.keep_alive = False
        await send(message)

    await app(scope, receive, sent)


def _no_room() -> Unavailable:
    return Unavailable("The server has no room for another connection.")
