"""HTTP's lowest layer: uvicorn's, with a bounded header and our error body for what is not even HTTP."""

import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sendmeter.errors import InvalidRequest
from sendmeter.web import tracking
from sendmeter.web.envelope import error_answer

HEAD_LIMIT = 65_536
logger = logging.getLogger(__name__)


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol keeps a header of any size in memory, and answers what it cannot parse in plain text."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_size = 0

    def on_message_begin(self) -> None:
        """Begin to count the header's bytes."""
        super().on_message_begin()
        self._in_head = True
        self._head_size = 0

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.send_400_response(f"The request's header is larger than {HEAD_LIMIT:,} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Answer 400 with the error body, and close the connection."""
        tracking_id = tracking.begin()
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
