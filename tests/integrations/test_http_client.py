"""Whatever a server does, an answer comes in time and within bounds, or a trouble that says why."""

import socket
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from types import SimpleNamespace

import pytest

from sendmeter.integrations.errors import ProviderTrouble
from sendmeter.integrations.http_client import LONGEST_RETRY_AFTER, Outgoing, _Deadline
from tests.integrations.standin import StandIn

HOSTS = frozenset({"api.example.com"})
URL = "https://api.example.com/a/b?c=d"


@contextmanager
def within(seconds):
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.fixture
def served(standin):
    standin.serve("api.example.com", "/a/b", b"hello")
    return standin


def trouble(outgoing, url=URL, **options):
    with pytest.raises(ProviderTrouble) as error:
        outgoing.get(url, hosts=HOSTS, **options)
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
    return error.value


def test_an_answer_comes_with_its_status_headers_and_bytes(served, outgoing):
    answer = outgoing.get(URL, hosts=HOSTS, headers={"x-asked": "yes"}, auth=("user", "pass"))
    assert (answer.status, answer.body, answer.retry_after) == (200, b"hello", None)
    assert answer.headers["content-length"] == "5"
    asked = served.requests[0]
    assert (asked.host, asked.path, asked.query) == ("api.example.com", "/a/b", {"c": ["d"]})
    assert (asked.headers["x-asked"], asked.headers["authorization"]) == ("yes", "Basic dXNlcjpwYXNz")


@pytest.mark.parametrize("status", [201, 400, 404, 500, 599])
def test_any_status_but_a_redirection_is_an_answer(served, outgoing, status):
    served.serve("api.example.com", "/a/b", b"", status=status)
    assert outgoing.get(URL, hosts=HOSTS).status == status


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("hang", "timeout"),
        ("drip", "timeout"),
        ("drip_headers", "timeout"),
        ("close", "broken_answer"),
        ("half", "broken_answer"),
        ("redirect", "redirected"),
        ("oversize", "too_large"),
        ("oversize_stream", "too_large"),
    ],
)
def test_a_server_that_misbehaves_holds_nobody_up(served, outgoing, hurried, how, code):
    served.behave(how)
    with within(10):
        assert trouble(hurried if code == "timeout" else outgoing).code == code
    served.behave("well")
    assert outgoing.get(URL, hosts=HOSTS).body == b"hello"
    assert len(served.requests) == 2


def test_a_slow_answer_in_time_is_an_answer(served, outgoing):
    served.behave("slow", seconds=0.1)
    assert outgoing.get(URL, hosts=HOSTS).body == b"hello"


def test_a_server_that_is_not_there_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    outgoing = Outgoing(test_url=url, timeout_seconds=0.5)
    with within(10):
        assert trouble(outgoing).code == "unreachable"
    outgoing.close()


def test_a_server_that_speaks_something_else_gives_a_broken_answer():
    with socket.create_server(("127.0.0.1", 0)) as server:
        outgoing = Outgoing(test_url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_seconds=20)

        def speak():
            taken, _ = server.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(b"220 mail.example ESMTP hush\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        assert trouble(outgoing).code == "broken_answer"
        thread.join()
        outgoing.close()


def test_an_answer_without_a_length_that_is_broken_off_is_not_taken_for_whole():
    with socket.create_server(("127.0.0.1", 0)) as server:
        outgoing = Outgoing(test_url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_seconds=0.3)

        def drip():
            taken, _ = server.accept()
            with taken, suppress(OSError):
                taken.recv(4096)
                taken.sendall(b"HTTP/1.1 200 OK\r\n\r\n[]")
                while True:
                    taken.sendall(b" ")
                    time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        assert trouble(outgoing).code == "timeout"
        thread.join()
        outgoing.close()


def test_a_connection_that_is_made_too_late_is_broken_off():
    ours, theirs = socket.socketpair()
    stream = SimpleNamespace(get_extra_info=lambda _: ours)
    with ours, theirs, _Deadline(-1) as deadline:
        deadline.watch("connection.connect_tcp.complete", {"return_value": stream})
        assert theirs.recv(1) == b""


def test_a_queue_that_nobody_serves_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        outgoing = Outgoing(test_url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_seconds=0.2)
        with within(10):
            assert trouble(outgoing).code == "timeout"
        outgoing.close()


def test_a_body_of_just_the_bound_is_taken(served, outgoing):
    served.serve("api.example.com", "/a/b", b"x" * 256 * 1024)
    assert len(outgoing.get(URL, hosts=HOSTS).body) == 256 * 1024
    served.serve("api.example.com", "/a/b", b"x" * (256 * 1024 + 1))
    assert trouble(outgoing).code == "too_large"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https://api.example.com",
        "https://API.example.com/",
        "https://other.example.com/",
        "https://api.example.com.evil.example/",
        "https://api.example.com@evil.example/",
        "https://user@api.example.com/",
        "https://user:word@api.example.com/",
        "https://api.example.com:443/",
        "https://api.example.com:8443/",
        "https://api.example.com/#a",
        "https://api.example.com/a b",
        "https://api.example.com/\r\nHost: evil.example",
        "https://api.example.com\\@evil.example/",
        "https://api.example.com/é",
        "https://api.example.com/\n",
        "//api.example.com/",
        "",
    ],
)
def test_no_other_server_is_asked(served, outgoing, url):
    with pytest.raises(ValueError, match="not HTTPS at a host that may be asked") as error:
        outgoing.get(url, hosts=HOSTS)
    assert "evil" not in str(error.value)
    assert served.requests == []


@pytest.mark.parametrize("name", ["authorization", "x-other"])
@pytest.mark.parametrize("value", ["Bearer hush\r\nx: y", "Bearer hushé", "Bearer hush\0"])
def test_a_header_that_cannot_be_sent_is_trouble_without_its_text(served, outgoing, name, value):
    told = trouble(outgoing, headers={name: value})
    assert told.code == "unusable_secret"
    assert "hush" not in told.message
    assert served.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com:80",
        "https://127.0.0.1:1",
        "http://127.0.0.1",
        "http://127.0.0.1.example:1",
        "http://127.0.0.1:1@example.com:1",
        "http://127.0.0.1:1/path",
        "http://0.0.0.0:1",
        "http://10.0.0.1:1",
        "",
    ],
)
def test_the_test_setting_takes_a_server_on_this_machine_alone(url):
    with pytest.raises(ValueError, match="on this machine alone"):
        Outgoing(test_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9/", "http://[::1]:9"])
def test_the_test_setting_takes_every_name_of_this_machine(url):
    Outgoing(test_url=url).close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("999999999", 86_400),
        ("٣", None),
    ],
)
def test_the_seconds_to_be_left_alone_are_read(served, outgoing, value, seconds):
    served.behave("rate_limit", retry_after=value.encode().decode("latin-1"))
    told = outgoing.get(URL, hosts=HOSTS).retry_after
    assert told == (None if seconds is None else timedelta(seconds=seconds))


def test_the_date_until_which_to_be_left_alone_is_read(served, outgoing):
    now = datetime.now(UTC)
    for ahead, least, most in ((90, 80, 91), (10**9, LONGEST_RETRY_AFTER.total_seconds(), 10**6)):
        until = format_datetime(now + timedelta(seconds=ahead), usegmt=True)
        served.behave("rate_limit", retry_after=until)
        assert least <= outgoing.get(URL, hosts=HOSTS).retry_after.total_seconds() <= most
    served.behave("rate_limit", retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    assert outgoing.get(URL, hosts=HOSTS).retry_after is None


def test_a_cookie_of_one_answer_is_not_sent_with_the_next_request(outgoing):
    with _Cookies() as server:
        way = Outgoing(test_url=server.url, timeout_seconds=20)
        for _ in range(2):
            way.get(URL, hosts=HOSTS)
        way.close()
    assert all(b"cookie" not in request.lower() for request in server.requests)


def test_threads_may_share_it(served, outgoing):
    numbers, done = count(), []

    def ask():
        number = next(numbers)
        served.serve("api.example.com", f"/{number}", f"hello {number}".encode())
        answer = outgoing.get(f"https://api.example.com/{number}", hosts=HOSTS)
        done.append(answer.body == f"hello {number}".encode())

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 30


def test_nothing_is_left_open_or_running_after_trouble(served, hurried):
    for how in ("drip", "half", "well"):
        served.behave(how, times=1)
        try:
            hurried.get(URL, hosts=HOSTS)
        except ProviderTrouble:
            continue
    for timer in [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        timer.join(0.2)  # it may be just about to end
        assert not timer.is_alive()


def test_the_stand_in_behaves_so_often_and_then_as_before():
    with StandIn() as standin:
        standin.serve("api.example.com", "/a/b", b"hello")
        standin.behave("unauthorized", times=1)
        standin.behave("fail", times=2, status=503)
        outgoing = Outgoing(test_url=standin.url, timeout_seconds=20)
        assert [outgoing.get(URL, hosts=HOSTS).status for _ in range(4)] == [503, 503, 401, 200]
        assert standin.requests[0].at <= standin.requests[3].at <= time.monotonic()
        outgoing.close()


def test_a_server_that_drips_while_tls_is_agreed_on_holds_nobody_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stopped = threading.Event()

        def drip():
            taken, _ = server.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(b"\x16\x03\x03\x20\x00")  # a record of 8 KiB, to come byte by byte
                while not stopped.wait(0.02):
                    try:
                        taken.sendall(b"\x02")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        outgoing = Outgoing(timeout_seconds=0.4)
        outgoing._target = lambda *_: ("api.example.com", f"https://127.0.0.1:{port}/")
        with within(10):
            assert trouble(outgoing).code == "timeout"
        stopped.set()
        thread.join()
        outgoing.close()


class _Cookies:
    """A server that sets a cookie."""

    def __enter__(self):
        self.requests = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self):
        for _ in range(2):
            taken, _ = self._server.accept()
            with taken:
                self.requests.append(taken.recv(65_536))
                taken.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: session=hush; Path=/\r\nContent-Length: 0\r\n\r\n")

    def __exit__(self, *_):
        self._thread.join()
        self._server.close()
