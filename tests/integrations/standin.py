"""A real server on this machine that stands in for the providers' APIs, and behaves as badly as it is told to.

with StandIn() as standin:
    standin.price("twilio", "SM" + 32 * "0", "-0.0079")
    outgoing = Outgoing(test_url=standin.url)
    standin.behave("rate_limit", times=1, retry_after="7")
"""

import json
import re
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TWILIO, TELNYX = "api.twilio.com", "api.telnyx.com"
BEHAVIOURS = {
    "well": "answers as the provider would",
    "slow": "as well, but after `seconds`",
    "hang": "takes the request and never answers",
    "drip": "sends a byte of its body now and then, without end",
    "drip_headers": "sends a byte of its headers now and then, without end",
    "close": "closes the connection without a word",
    "half": "closes it in the middle of the body",
    "redirect": "redirects to another server",
    "oversize": "sends a body of a megabyte, telling how long it is",
    "oversize_stream": "sends a body without end",
    "bad_json": "sends what is nearly JSON",
    "html": "sends a page, with status 200",
    "wrong_types": "sends JSON of another shape",
    "rate_limit": "429, with `retry_after`",
    "fail": "500, or `status`, with a page",
    "unauthorized": "401",
}


@dataclass(frozen=True)
class Request:
    """A request that came: to which host and path, when (monotonic seconds), with which headers (lower case)."""

    host: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at: float


@dataclass
class Behaviour:
    """How the server behaves; `times` counts down, None is for ever."""

    how: str = "well"
    times: int | None = None
    seconds: float = 0.3
    retry_after: str | None = None
    status: int = 500


class StandIn:
    """The server. It knows the prices that `price` tells it, and any file that `serve` gives it.

    `requests` are those that came so far.
    """

    def __init__(self):
        self.requests: list[Request] = []
        self.stopped = threading.Event()
        self.files: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.prices: dict[tuple[str, str], tuple[object, str]] = {}
        self.recorded: set[str] = set()
        self._behaviours = [Behaviour()]
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.standin = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self):
        """What `Outgoing(test_url=…)` takes."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def price(self, provider, message_id, amount, *, unit="USD", recorded=True):
        """Make a message known at "twilio" or "telnyx", with its price as the provider writes it; None: none yet.

        Telnyx has no detail record of a message that is not `recorded` (yet), but knows the message.
        """
        self.prices[provider, message_id] = (amount, unit)
        (self.recorded.add if recorded else self.recorded.discard)(message_id)

    def serve(self, host, path, body, status=200):
        """Answer a GET of that path (without its query) at that host with these bytes."""
        self.files[host, path] = (status, body)

    def behave(self, how, *, times=None, **details):
        """Behave so for as many requests, or until told otherwise; afterwards as before. See BEHAVIOURS."""
        assert how in BEHAVIOURS, f"one of {sorted(BEHAVIOURS)}"
        behaviour = Behaviour(how, times, **details)
        with self._lock:
            self._behaviours = [behaviour] if times is None else [*self._behaviours, behaviour]

    def next_behaviour(self):
        with self._lock:
            behaviour = self._behaviours[-1]
            if behaviour.times is not None:
                behaviour.times -= 1
                if not behaviour.times:
                    self._behaviours.pop()
        return behaviour

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    standin: StandIn

    def handle_error(self, request, client_address):
        # That a caller gives up while we misbehave is what such a test is about.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.close_connection = True
        parts = urlsplit(self.path)
        _, host, path = parts.path.split("/", 2)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = parse_qs(parts.query, keep_blank_values=True)
        self.asked = Request(host, f"/{path}", query, headers, time.monotonic())
        self.server.standin.requests.append(self.asked)
        self.behaviour = self.server.standin.next_behaviour()
        getattr(self, f"_{self.behaviour.how}")()

    def _well(self):
        self._send(*self._answer())

    def _slow(self):
        if not self.server.standin.stopped.wait(self.behaviour.seconds):
            self._well()

    def _hang(self):
        self.server.standin.stopped.wait()

    def _drip(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        self._dribble(b" ")

    def _drip_headers(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._dribble(b"a")

    def _dribble(self, byte):
        while not self.server.standin.stopped.wait(0.02):
            self.wfile.write(byte)

    def _close(self):
        pass

    def _half(self):
        body = _text(self._answer()[1])
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body[: len(body) // 2])

    def _redirect(self):
        self._send(302, b"", location="https://elsewhere.example/")

    def _oversize(self):
        self._send(200, b"[" + b" " * 1_000_000 + b"]")

    def _oversize_stream(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not self.server.standin.stopped.is_set():
            self.wfile.write(b" " * 10_000)

    def _bad_json(self):
        self._send(200, b'{"price": -0.0079, "data": [}')

    def _html(self):
        self._send(200, b"<!doctype html><title>Welcome to this hotel's network</title>")

    def _wrong_types(self):
        wrong = {"sid": [], "price": {"amount": True}, "price_unit": 7, "data": "none", "meta": None}
        self._send(200, wrong)

    def _rate_limit(self):
        asked_for = self.behaviour.retry_after
        headers = {} if asked_for is None else {"retry_after": asked_for}
        self._send(429, self._trouble(429, 20429, "Too Many Requests", "10011"), **headers)

    def _fail(self):
        self._send(self.behaviour.status, b"<html><h1>Sorry</h1></html>")

    def _unauthorized(self):
        self._send(401, self._trouble(401, 20003, "Authenticate", "10009"))

    def _answer(self):
        if (found := self.server.standin.files.get((self.asked.host, self.asked.path))) is not None:
            return found
        if self.asked.host == TWILIO:
            return self._twilio()
        if self.asked.host == TELNYX:
            return self._telnyx()
        return 404, b"<html>not found</html>"

    def _twilio(self):
        if not self.asked.headers.get("authorization", "").startswith("Basic "):
            return 401, self._trouble(401, 20003, "Authenticate", "")
        pattern = r"/2010-04-01/Accounts/(AC\w{32})/(Messages|Calls)/(\w{34})\.json"
        found = re.fullmatch(pattern, self.asked.path)
        known = found and self.server.standin.prices.get(("twilio", found[3]))
        if not known:
            return 404, self._trouble(404, 20404, f"The requested resource {self.asked.path} was not found", "")
        amount, unit = known
        return 200, {
            "sid": found[3],
            "account_sid": found[1],
            "api_version": "2010-04-01",
            "body": "Your code is 123456",
            "date_sent": "Fri, 20 Nov 2026 12:00:00 +0000",
            "direction": "outbound-api",
            "error_code": None,
            "num_segments": "1",
            "price": amount,
            "price_unit": unit,
            "status": "delivered",
            "uri": self.asked.path,
        }

    def _telnyx(self):
        if not self.asked.headers.get("authorization", "").startswith("Bearer "):
            return 401, self._trouble(401, 20003, "", "10009")
        if self.asked.path == "/v2/detail_records":
            return 200, self._detail_records()
        known = self.server.standin.prices.get(("telnyx", self.asked.path.removeprefix("/v2/messages/")))
        if not known:
            return 404, self._trouble(404, 20404, "", "10005")
        amount, unit = known
        cost = None if amount is None else {"amount": amount, "currency": unit}
        message_id = self.asked.path.rpartition("/")[2]
        data = {"record_type": "message", "id": message_id, "direction": "outbound", "type": "SMS", "cost": cost}
        return 200, {"data": data}

    def _detail_records(self):
        (wanted,) = self.asked.query.get("filter[uuid]", [""])
        known = self.server.standin.prices.get(("telnyx", wanted)) if wanted in self.server.standin.recorded else None
        records = []
        if known and self.asked.query.get("filter[record_type]") == ["messaging"] and known[0] is not None:
            record = {"record_type": "message_detail_record", "uuid": wanted, "direction": "outbound", "parts": 1}
            records = [record | {"status": "delivered", "cost": known[0], "currency": known[1], "rate": known[0]}]
        meta = {"page_number": 1, "page_size": 20, "total_pages": 1, "total_results": len(records)}
        return {"data": records, "meta": meta}

    def _trouble(self, status, twilio_code, message, telnyx_code):
        if self.asked.host == TELNYX:
            return {"errors": [{"code": telnyx_code, "title": "Refused", "detail": "Not so."}]}
        more = f"https://www.twilio.com/docs/errors/{twilio_code}"
        return {"code": twilio_code, "message": message, "more_info": more, "status": status}

    def _send(self, status, body, **headers):
        body = _text(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _text(body):
    return body if isinstance(body, bytes) else json.dumps(body).encode()
