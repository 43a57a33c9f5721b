"""Killed at any moment, nothing that was acknowledged is lost, and nothing that was sent twice is counted twice.

PROOF_KILLS says how often each configuration is killed (`make proof`), PROOF_SEED repeats the choices of a run. What
was counted is in build/proof.
"""

from contextlib import closing

import pytest
from click.testing import CliRunner

from sendmeter.cli import main
from sendmeter.store import Store
from sendmeter.store.schema import upgrade
from tests.proof.crash_postgres import own_postgres
from tests.proof.crash_run import run_of, seed
from tests.proof.crash_server import server_of
from tests.proof.length import IS_LONG, long_only, wanted_kills

KILLS = 1
ALONE = ("process", "process", "while starting")
SEVERAL = ("worker", "parent", "worker", "all", "while starting", "worker")
# The short form has each number of processes, and each database, once.
CONFIGURATIONS = [("sqlite", 1), ("postgresql", 2)] + ([("sqlite", 2), ("postgresql", 1)] if IS_LONG else [])
DATABASE = ("postmaster", "backend", "all", "server too")


@pytest.mark.parametrize(("database_url", "workers"), CONFIGURATIONS, indirect=["database_url"])
def test_whatever_process_is_killed_what_was_acknowledged_is_there_once_and_all_else_can_be_sent_again(
    workers, database_url, tmp_path
):
    name = f"{database_url.partition(':')[0]}-{workers}"
    with (
        server_of(database_url, tmp_path, workers) as server,
        run_of(name, database_url, server.url, seed()) as (run, threads),
    ):
        ways = SEVERAL if workers > 1 else ALONE
        for number in range(wanted_kills(KILLS)):
            kill(run, server, threads, ways[number % len(ways)])
            run.check_and_send_again(threads)
        run.checks.check([], all_holds=True)
        assert server.stop() == 0
        verify(database_url)
        run.report()


def kill(run, server, threads, how):
    """Kill under load, and see that the server is there again."""
    with run.load(threads):
        if how == "worker":
            server.kill_a_worker(run.chance)
            run.pause(0.02, 0.4)
        elif how == "parent":
            server.kill_the_parent()
        else:
            server.kill_all()
    run.killed(how)
    if how == "while starting":
        server.start()
        run.pause(0.05, 1)
        server.kill_all()
        run.killed(how)
    if how != "worker":
        server.start()
    server.wait_until_ready()


def verify(url):
    done = CliRunner().invoke(main, ["verify", "--database", url])
    assert done.exit_code == 0, done.output


@long_only
def test_a_server_stays_up_while_postgresql_is_killed_and_all_goes_on_when_it_is_back(tmp_path):
    with own_postgres() as postgres:
        with closing(Store(postgres.url)) as store:
            upgrade(store)
        with (
            server_of(postgres.url, tmp_path, 2) as server,
            run_of("postgresql-killed", postgres.url, server.url, seed()) as (run, threads),
        ):
            serving = server.processes()
            for number in range(wanted_kills(KILLS)):
                how = DATABASE[number % len(DATABASE)]
                kill_postgresql(run, postgres, server, threads, how)
                server.wait_until_ready()
                assert how == "server too" or server.processes() == serving, "a process of the server ended, too"
                serving = server.processes()
                run.check_and_send_again(threads)
            run.checks.check([], all_holds=True)
            assert server.stop() == 0
            verify(postgres.url)
            run.report()


def kill_postgresql(run, postgres, server, threads, how):
    """Kill it, or one of its processes, under load that goes on until it is back and beyond; or the server too."""
    with run.load(threads):
        if how == "backend":
            postgres.kill_a_backend(run.chance)
        else:
            (postgres.kill_the_postmaster if how == "postmaster" else postgres.kill_all)()
            if how == "server too":
                server.kill_all()
            run.pause(0, 0.2)
            postgres.start()
        if how == "server too":
            server.start()
        run.pause(0.02, 0.4)
    run.killed(how)
