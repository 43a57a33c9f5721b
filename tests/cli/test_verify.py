"""`sendmeter verify`: 0 where all is right, 1 naming what is not."""

from contextlib import closing

import pytest

from sendmeter.store import Store
from tests.cli.files import events_of_today, lines_of
from tests.live import run_cli, run_json


def test_damage_is_named_with_its_organization_and_nothing_else_is(any_shop):
    url, organization = any_shop["url"], any_shop["organizationId"]
    other = run_json("organizations", "create", "--name", "Other", database_url=url)["organizationId"]
    command = ("import", "-", "--organization", organization)
    run_cli(*command, stdin=lines_of(events_of_today(50)), database_url=url)
    right = run_cli("verify", database_url=url)
    assert "2 organizations" in right.stdout
    assert len(right.stdout.splitlines()) == 1
    with closing(Store(url)) as store:
        damage = "UPDATE cycle_counters SET quantity = quantity + 1 WHERE channel = 'EMAIL'"
        store.write(lambda: store.execute(damage))
    wrong = run_cli("verify", database_url=url, expected=1)
    named, summary = wrong.stdout.splitlines()
    assert named.startswith(f"{organization}: cycle ")
    assert "EMAIL: the counter has" in named
    assert summary.startswith("1 difference ")
    assert " in 1 of 2 organizations" in summary
    report = run_json("verify", "--organization", organization, database_url=url, expected=1)
    assert report["organizations"] == 1
    assert [list(report["differences"]), len(report["differences"][organization])] == [[organization], 1]
    assert run_json("verify", "--organization", other, database_url=url)["differences"] == {}


@pytest.mark.parametrize("empty", ["sqlite", "postgresql"])
def test_an_empty_database_is_right_and_gets_its_tables(empty, request, tmp_path):
    (tmp_path / "new.db").touch()
    url = f"sqlite:///{tmp_path}/new.db" if empty == "sqlite" else request.getfixturevalue("empty_postgres_url")
    assert run_json("verify", database_url=url) == {"organizations": 0, "differences": {}}


def test_an_unknown_organization_is_refused(shop):
    told = run_cli("verify", "--organization", "org_nobody", database_url=shop["url"], expected=1)
    assert "There is no organization" in told.stderr
    assert told.stdout == ""


def test_it_wants_a_database_that_is_one(tmp_path):
    (tmp_path / "sendmeter.db").write_bytes(b"This is a letter, and no database.\n" * 100)
    told = run_cli("verify", cwd=tmp_path, expected=1)
    assert "Traceback" not in told.stderr
    assert "sendmeter.db" in told.stderr
