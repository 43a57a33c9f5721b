"""`sendmeter db upgrade`, and what the other commands say of a database of another version."""

from contextlib import closing

from sendmeter.store import Store
from sendmeter.store.schema import HISTORY
from tests.live import run_cli, run_json


def changed(url, statement):
    with closing(Store(url)) as store:
        store.write(lambda: store.execute(statement))


def test_there_is_nothing_to_do_on_a_database_of_this_version(any_shop):
    assert run_cli("db", "upgrade", database_url=any_shop["url"]).stdout == "The database is up to date.\n"
    assert run_json("db", "upgrade", database_url=any_shop["url"]) == {"applied": []}


def test_an_empty_database_gets_its_tables(tmp_path):
    assert run_json("db", "upgrade", cwd=tmp_path)["applied"][0] == "0001_first_tables"
    assert run_json("organizations", "list", cwd=tmp_path) == []


def test_a_database_of_a_newer_version_is_refused_by_every_command(any_shop):
    changed(any_shop["url"], f"INSERT INTO {HISTORY} (id, name, applied) VALUES (99, '0099_later', '2030-01-01 00:00')")
    for command in (["db", "upgrade"], ["organizations", "list"], ["serve", "--port", "0"]):
        told = run_cli(*command, database_url=any_shop["url"], expected=1)
        assert "newer version of Sendmeter (it has 0099_later)" in told.stderr
        assert "Traceback" not in told.stderr
        assert told.stdout == ""
