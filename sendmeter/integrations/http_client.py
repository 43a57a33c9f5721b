"""The only way out: bounded GET requests to servers of the providers, over HTTPS.

What fails is told in our own words: never the text of an exception, a URL, a header or a body.
"""

import contextlib
import email.utils
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

import httpx

from sendmeter.integrations.errors import ProviderTrouble

MOST_BYTES = 256 * 1024
"""How long an answer may be."""
LONGEST_RETRY_AFTER = timedelta(days=1)
# No port but HTTPS's own, no user, no fragment; the path and the query are of visible ASCII.
_URL = re.compile(r"https://([a-z0-9.-]+)(/[!\"$-\[\]-~]*)")
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|\[::1\]|localhost):[0-9]{1,5}/?")
_VISIBLE = re.compile(r"[ -~]*")
_WORDS: Final[Mapping[str, str]] = {
    "timeout": "does not answer in time",
    "unreachable": "cannot be reached",
    "broken_answer": "broke off before its answer was whole",
    "too_large": f"answers with more than {MOST_BYTES // 1024} KiB",
    "redirected": "answers with a redirection, which is not followed",
    "closed": "is not asked any more, since the server stops",
    "unusable_secret": "cannot be asked: what is set up for it has characters that no header may have",
}

# It would write whole URLs to the log, and some have a token in their query.
logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered; `headers` have names in lower case, `retry_after` is how long to leave it alone."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    retry_after: timedelta | None = None


class Outgoing:
    """Asks the providers' servers. Threads may share it.

    `timeout_seconds` is for the whole of an answer. `test_url`, for tests alone, is a server on this machine that is
    asked instead: for https://api.example.com/path its /api.example.com/path. Raises ValueError if it is elsewhere.
    """

    def __init__(self, *, test_url: str | None = None, timeout_seconds: float = 10.0) -> None:
        if test_url is not None and not _LOOPBACK.fullmatch(test_url):
            raise ValueError("The test setting test_url takes a server on this machine alone: http://127.0.0.1:PORT.")
        self._test_url = test_url.rstrip("/") if test_url else None
        self._seconds = timeout_seconds
        self._lock = threading.Lock()
        self._is_closed = False
        self._under_way: set[_Deadline] = set()
        self._made: httpx.Client | None = None

    def get(
        self,
        url: str,
        *,
        hosts: AbstractSet[str],
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Ask for an HTTPS URL at one of `hosts`; `auth` is a user and a password.

        Raises ValueError if the URL is no such one: what came from outside is checked before. Raises ProviderTrouble
        (`timeout`, `unreachable`, `broken_answer`, `too_large`, `redirected`, `unusable_secret`, `closed`)
        where no answer came.
        Any status but a redirection is an answer.
        """
        host, target = self._target(url, hosts)
        sent = {"accept-encoding": "identity", "user-agent": "sendmeter", **(headers or {})}
        if not all(_VISIBLE.fullmatch(value) for value in (*sent.values(), *(auth or ()))):
            _fail("unusable_secret", host)
        answer = self._ask(target, sent, auth)
        if isinstance(answer, str):
            # Raised out here, so that no exception of the library hangs on it, which knows the request.
            _fail(answer, host)
        return answer

    def close(self) -> None:
        """Break off what is asked, and ask no more."""
        with self._lock:
            self._is_closed = True
            under_way = list(self._under_way)
        for deadline in under_way:
            deadline.break_off()
        if self._made is not None:
            self._made.close()

    @property
    def _http(self) -> httpx.Client:
        """Return the client. It reads the certificates of all authorities, which no server has to wait for."""
        with self._lock:
            if self._made is None:
                is_test = self._test_url is not None
                self._made = httpx.Client(
                    # A connection for each request: only of one that it saw being made can a `_Deadline` get hold.
                    limits=httpx.Limits(max_keepalive_connections=0),
                    trust_env=not is_test,
                    # The stand-in speaks no TLS; a context that trusts nobody is made in a hundredth of the time.
                    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_test else True,
                )
        return self._made

    def _target(self, url: str, hosts: AbstractSet[str]) -> tuple[str, str]:
        found = _URL.fullmatch(url)
        if found is None or found[1] not in hosts:
            raise ValueError("That URL is not HTTPS at a host that may be asked.")
        return found[1], url if self._test_url is None else f"{self._test_url}/{found[1]}{found[2]}"

    def _ask(self, target: str, headers: Mapping[str, str], auth: tuple[str, str] | None) -> Answer | str:
        """Return the answer, or the code of what went wrong."""
        with _Deadline(self._seconds) as deadline, self._known(deadline) as may_ask:
            if not may_ask:
                return "closed"
            extensions = {"timeout": httpx.Timeout(self._seconds).as_dict(), "trace": deadline.watch}
            # Not made by the client, which would add the cookies that another organization's request was given.
            request = httpx.Request("GET", target, headers=headers, extensions=extensions)
            try:
                response = self._http.send(request, auth=auth, stream=True)
                try:
                    return _read(response, deadline)
                finally:
                    response.close()
            except httpx.TimeoutException:
                return "timeout"
            except httpx.ConnectError:
                return "timeout" if deadline.has_passed else "unreachable"
            except httpx.HTTPError:
                return "timeout" if deadline.has_passed else "broken_answer"

    @contextlib.contextmanager
    def _known(self, deadline: "_Deadline") -> Iterator[bool]:
        """Register what is under way for `close`; return whether it may go on."""
        with self._lock:
            self._under_way.add(deadline)
            may_ask = not self._is_closed
        try:
            yield may_ask
        finally:
            with self._lock:
                self._under_way.discard(deadline)


class _Deadline:
    """Breaks a connection off when its time is up, wherever it is then: a server that drips holds nobody up.

    The timeouts of the library are for each read, and begin anew with each byte.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self.break_off)
        self._timer.daemon = True

    @property
    def has_passed(self) -> bool:
        """Return whether the time is up."""
        return time.monotonic() >= self._ends_at

    def watch(self, event: str, told: Mapping[str, Any]) -> None:
        """Take a handle of the connection that is made: its own will be TLS's, which is another object."""
        if event == "connection.connect_tcp.complete":
            with self._lock:
                self._handles.append(told["return_value"].get_extra_info("socket").dup())
            if self.has_passed:
                self.break_off()

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            while self._handles:
                self._handles.pop().close()

    def break_off(self) -> None:
        """End the connection, at whatever it is, as if its time were up."""
        self._ends_at = 0.0
        with self._lock:
            for handle in self._handles:
                with contextlib.suppress(OSError):  # the server was quicker
                    handle.shutdown(socket.SHUT_RDWR)


def _read(response: httpx.Response, deadline: _Deadline) -> Answer | str:
    if 300 <= response.status_code < 400:
        return "redirected"
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            return "too_large"
    # An answer without a length ends where the connection ends, also where it was broken off.
    if deadline.has_passed:
        return "timeout"
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, bytes(body), _retry_after(headers.get("retry-after", "")))


def _retry_after(value: str) -> timedelta | None:
    """Read a Retry-After: seconds or a date (RFC 9110, 10.2.3); None where it is neither, or not after now."""
    if re.fullmatch(r"[0-9]{1,9}", value):
        pause = timedelta(seconds=int(value))
    else:
        try:
            until = email.utils.parsedate_to_datetime(value)
            pause = until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)
        except (ValueError, OverflowError):
            return None
    return min(pause, LONGEST_RETRY_AFTER) if pause > timedelta(0) else None


def _fail(code: str, host: str) -> NoReturn:
    raise ProviderTrouble(code, f"{host} {_WORDS[code]}.")
