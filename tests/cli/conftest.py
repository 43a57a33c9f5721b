"""A database file with one organization, copied for each test: making one by the command line costs a second."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from sendmeter.cli import main
from tests.live import run_json


def mid_cycle_options():
    """Options of an organization whose running cycle began two weeks ago, so that no test crosses its end."""
    now = datetime.now(UTC)
    return [
        "--name",
        "Shop",
        "--anchor-day",
        str(min((now - timedelta(days=14)).day, 28)),
        "--starts-at",
        (now - timedelta(days=380)).date().isoformat(),
    ]


@pytest.fixture(scope="session")
def _template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    made = run_json("organizations", "create", *mid_cycle_options(), cwd=folder)
    return folder / "sendmeter.db", made


@pytest.fixture
def shop(_template, tmp_path):
    """A fresh SQLite database in `tmp_path` with the organization Shop: what the command printed, and `url`."""
    database, made = _template
    shutil.copy(database, tmp_path / "sendmeter.db")
    return made | {"url": f"sqlite:///{tmp_path}/sendmeter.db"}


@pytest.fixture
def postgres_shop(postgres_url):
    """The same on PostgreSQL."""
    return run_json("organizations", "create", *mid_cycle_options(), database_url=postgres_url) | {"url": postgres_url}


@pytest.fixture(params=["shop", "postgres_shop"])
def any_shop(request):
    """The same on each of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def run_here(tmp_path, monkeypatch):
    """Run a command in this process, in an empty folder: a second faster, where its options are all that matters."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, stdin=None: CliRunner().invoke(main, arguments, input=stdin)
