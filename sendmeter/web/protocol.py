"""HTTP's lowest layer: uvicorn's, with a bounded header and our error body for what is not even HTTP.

uvicorn keeps a header of any size in memory, answers what it cannot parse in plain text (and before the requests that
came first on the connection are answered), and loses the body of a request that offers to upgrade the connection, as
Java's own client does with each first request.
"""

import logging
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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
        self._head_size = 0
        self._ended_in_data = False
        self._resuming = False

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._unset_keepalive_if_required()
        self._ended_in_data = False
        try:
            self._feed(data)
            # Of bytes that ended one request and began another, nobody knows how many are the other's header.
            if self._in_head and not self._ended_in_data:
                self._grow_head(len(data))
        except HttpParserError:
            self.send_400_response(_TOO_LARGE if self._head_size > HEAD_LIMIT else "The request is not valid HTTP.")

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as offer:
            # The offer is not taken up. The parser stopped at what it takes for another protocol: at the body, if there
            # is one. A new parser reads on from there, after a head that says how long the body is.
            self.parser = HttpRequestParser(self)
            framing = [b"%s: %s\r\n" % header for header in self.headers if header[0] in _FRAMING]
            if framing:
                self.cycle.more_body = True
                self._resuming = True
                self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")
                self._resuming = False
            self._feed(data[offer.args[0] :])

    def _grow_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > HEAD_LIMIT:
            raise HttpParserError(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._resuming:
            super().on_message_begin()
            self._in_head = True
            self._head_size = 0

    def on_url(self, url: bytes) -> None:
        """Take the target, or a part of it."""
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line."""
        if not self._resuming:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        if not self._resuming:
            self._in_head = False
            self._head_size = 0
            self._grow_head(len(self.url) + sum(len(name) + len(value) for name, value in self.headers))
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request."""
        self._ended_in_data = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 with the error body, and close the connection; what came first is answered first."""
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
