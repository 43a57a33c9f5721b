"""From one version to the next and back: a copy of the source with steps added is the newer version."""

import os
import shutil
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from sendmeter.settings import Settings
from sendmeter.startup import open_store
from sendmeter.store import Store
from tests.live import ROOT, run_cli, run_json

PLANT = 'def up(migrator, db):\n    db.execute_sql("CREATE TABLE planted (one BIGINT)")\n'
COMMAND = "import sys; from sendmeter.cli import main; sys.argv[0] = 'sendmeter'; main()"


@pytest.fixture
def newer(tmp_path):
    """Return a function that adds a step to a copy of the source, and one that runs the copy's command."""
    source = tmp_path / "newer"
    for folder in ("sendmeter", "handlers"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "openapi.yaml", source)

    def add(name, text):
        (source / "sendmeter" / "store" / "migrations" / f"{name}.py").write_text(text)

    def run(url, *arguments):
        environment = os.environ | {"PYTHONPATH": str(source), "SENDMETER_DATABASE_URL": url}
        command = [sys.executable, "-c", COMMAND, *arguments]
        return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)

    return add, run


def has_planted_table(url):
    with closing(Store(url)) as store:
        tables = store.read(store.database.get_tables)
    return "planted" in tables


def test_an_older_database_is_refused_until_it_is_upgraded_and_then_by_the_older_version(database_url, newer):
    add, run = newer
    add("9001_planted", PLANT)
    made = run_json("organizations", "create", "--name", "A", database_url=database_url)

    refused = run(database_url, "organizations", "list")
    assert refused.returncode == 1
    assert "older version of Sendmeter (it lacks 9001_planted)" in refused.stderr
    assert 'run "sendmeter db upgrade"' in refused.stderr
    assert not has_planted_table(database_url)

    assert run(database_url, "db", "upgrade").stdout == "Applied 9001_planted.\n"
    assert run(database_url, "db", "upgrade").stdout == "The database is up to date.\n"
    assert made["organizationId"] in run(database_url, "organizations", "list").stdout
    assert has_planted_table(database_url)

    told = run_cli("organizations", "list", database_url=database_url, expected=1).stderr
    assert "newer version of Sendmeter (it has 9001_planted)" in told


def test_an_upgrade_that_fails_in_its_second_step_leaves_the_first_undone(database_url, newer):
    add, run = newer
    add("9001_planted", PLANT)
    add("9002_the_same_table_again", PLANT)
    run_cli("organizations", "list", database_url=database_url)
    assert run(database_url, "db", "upgrade").returncode == 1
    assert not has_planted_table(database_url)
    assert run_json("db", "upgrade", database_url=database_url) == {"applied": []}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_servers_that_find_an_empty_database_at_the_same_moment_lay_its_tables_once_and_all_start(
    kind, request, tmp_path
):
    url = f"sqlite:///{tmp_path}/new.db" if kind == "sqlite" else request.getfixturevalue("empty_postgres_url")
    together, failed = threading.Barrier(6), []

    def start():
        together.wait()
        try:
            open_store(Settings(database_url=url)).close()
        except Exception as error:
            failed.append(repr(error))

    starting = [threading.Thread(target=start) for _ in range(6)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert failed == []
    assert run_json("db", "upgrade", database_url=url) == {"applied": []}
