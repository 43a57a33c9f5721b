"""HTTP's lowest layer: uvicorn's, with a bounded header and our error body for what is not even HTTP.

uvicorn keeps a header of any size in memory, answers what it cannot parse in plain text (and before the requests that
came first on the connection are answered), and loses the body of a request that offers to upgrade the connection, as
Java's own client does with each first request.
"""

import logging
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from sendmeter.errors import InvalidRequest
from sendmeter.web import tracking
from sendmeter.web.envelope import error_answer

HEAD_LIMIT = 65_536
access_log = logging.getLogger("sendmeter.access")
_TOO_LARGE = f"The request's header is larger than {HEAD_LIMIT:,} bytes."
_FRAMING = (b"content-length", b"transfer-encoding")


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._resuming = False
        # Bytes since a header, a part of a body or a request was complete: of a header or a trailer without end.
        self._pending_size = 0
        # The request that is answered now; `cycle` is the one that came last.
        self._answering: RequestResponseCycle | None = None

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._unset_keepalive_if_required()
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
            self._resuming = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
            self._resuming = False

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._resuming:
            super().on_message_begin()
            self._in_head = True

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
            self._in_head = False
            self._pending_size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            self._check_size()
            super().on_headers_complete()
            self._pending_size = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._pending_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._pending_size = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is answered now, too, that nobody waits for it; those behind it are not begun."""
        self.pipeline.clear()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Answer 400 with the error body, and close the connection; what came first is answered first."""
        if self.pipeline and self.cycle.more_body and self._answering is not None:
            # The broken request waits behind others. It is forgotten, and the last of those ends the connection.
            self.pipeline.popleft()
            self.cycle = self.pipeline[0][0] if self.pipeline else self._answering
        whole_request_under_way = (
            self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        )
        if whole_request_under_way:
            self.flow.pause_reading()
            self.cycle.keep_alive = False
            return
        tracking_id = tracking.begin()
        access_log.info("not HTTP 400: %s", msg)
        answer = error_answer(InvalidRequest(msg, fix="Send a request of HTTP/1.1 (RFC 9112)."), tracking_id)
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(answer.body))),
            ("x-tracking-id", tracking_id),
            ("connection", "close"),
        ]
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{lines}\r\n".encode() + answer.body)
        self.transport.close()
