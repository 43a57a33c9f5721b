"""A migration that is killed leaves the database as it was, or as it is to be; the next run does what is left.

At each statement where PROOF_KILLS asks for more than one kill (`make proof`), else at the commit and one more, which
PROOF_SEED chooses.
"""

import os
import random
import signal
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.services import organizations
from sendmeter.startup import utc_now
from sendmeter.store import Store
from sendmeter.store.schema import state_of, upgrade
from tests.cli.processes import wait_until
from tests.live import SENDMETER
from tests.proof.crash_cuts import cuts
from tests.proof.crash_old import Databases, is_whole
from tests.proof.crash_run import reported, seed
from tests.proof.length import IS_LONG

UPGRADE = ("db", "upgrade")
CREATE = ("organizations", "create", "--name", "A")
OURS = "FROM pg_stat_activity WHERE application_name = 'sendmeter' AND datname = current_database()"


@pytest.fixture(params=["sqlite", "postgresql"] if IS_LONG else ["sqlite"])
def databases(request, tmp_path):
    postgres = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return Databases(tmp_path, postgres, 0)


@pytest.fixture
def chance(request):
    return random.Random(f"{seed()} {request.node.name}")


@pytest.fixture
def cutting(tmp_path):
    with cuts(tmp_path) as made:
        yield made


def moments(chance, statements):
    """Choose statements to be killed at: all, or one in the midst of it and the last; and one that never comes."""
    every = range(1, statements + 1)
    wanted = every if IS_LONG else {chance.randint(2, statements // 2), statements}
    return sorted({*wanted, statements + 1})


def test_an_upgrade_that_is_killed_at_any_statement_has_done_nothing_or_all(databases, cutting, chance):
    whole = databases.old()
    code, statements = cutting.run(whole, *UPGRADE)
    assert code == 0
    assert databases.check_old_or_new(whole)
    assert statements > 40
    ends = []
    for number in moments(chance, statements):
        url = databases.old()
        code, reached = cutting.run(url, *UPGRADE, before=number)
        assert (code, reached) == ((0, statements) if number > statements else (-signal.SIGKILL, number))
        ends.append(databases.check_old_or_new(url))
        databases.check_upgrade(url)
        assert is_whole(url)
        databases.drop(url)
    assert False in ends
    assert ends[-1], "the upgrade that was not killed is not there"
    report("upgrade", databases, ends)


def test_a_first_command_that_is_killed_while_it_lays_tables_leaves_none_or_all(databases, cutting, chance):
    code, statements = cutting.run(databases.empty(), *CREATE)
    assert code == 0
    ends = []
    for number in moments(chance, statements):
        url = databases.empty()
        code, _ = cutting.run(url, *CREATE, before=number)
        assert code == (0 if number > statements else -signal.SIGKILL)
        with closing(Store(url)) as store:
            state = state_of(store)
            assert state.is_empty or state.is_current
            ends.append(state.is_current)
            upgrade(store)
            left = len(organizations.everyone(store)) if state.is_current else 0
            assert left == (number > statements)
            organizations.create(store, "B", Anchor(1, "UTC"), Caps(), utc_now(), by="test")
            assert state_of(store).is_current
        assert is_whole(url)
        databases.drop(url)
    assert {*ends} == {True, False}
    report("first-command", databases, ends)


def report(name, databases, ends):
    """Write down how many were killed; the last one was not."""
    kind = "postgresql" if databases.postgres else "sqlite"
    reported(f"cut-{name}-{kind}", {"kills": len(ends) - 1, "done": sum(ends[:-1])})


def test_an_upgrade_that_waits_for_another_goes_on_when_that_is_killed(databases, cutting):
    url = databases.old()
    first = cutting.stopped(url, *UPGRADE, before=30)
    with subprocess.Popen([SENDMETER, "db", "upgrade", "--database", url], stdout=subprocess.PIPE, text=True) as second:
        wait_until(lambda: waits(url, second) or second.poll() is not None, 60)
        assert second.poll() is None
        os.kill(first, signal.SIGKILL)
        assert cutting.ended() == -signal.SIGKILL
        assert "Applied" in second.communicate(timeout=60)[0]
    assert databases.check_old_or_new(url)


def waits(url, popen):
    """Return whether a process has come as far as to the database."""
    if url.startswith("sqlite:"):
        file = url.removeprefix("sqlite:///")
        with suppress(FileNotFoundError):
            return any(os.path.realpath(each) == file for each in Path(f"/proc/{popen.pid}/fd").iterdir())
        return False
    with psycopg.connect(url) as connection:
        return bool(connection.execute(f"SELECT 1 {OURS} AND wait_event_type = 'Lock'").fetchone())
