"""Connections to a PostgreSQL that does not answer, and what their URL says."""

import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import peewee
import psycopg
import pytest

from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Unavailable
from sendmeter.services import events
from sendmeter.services.verify import differences
from sendmeter.store import Store, failures
from tests.cli.processes import wait_until
from tests.live import NOON
from tests.store.test_outage import founded, messages, record

ANSWER_SECONDS = 0.5
EMAIL = UsageEvent.from_json({"id": "a", "channel": "EMAIL"})
AT_ONCE = 10
"""In seconds: far more than one wait takes, and less than several one after the other would."""


def ask(store, statement):
    return store.read(lambda: store.execute(statement).fetchone()[0])


@pytest.fixture
def impatient(postgres_url):
    with closing(Store(postgres_url, answer_seconds=ANSWER_SECONDS, busy_timeout_seconds=2)) as store:
        yield store


@contextmanager
def stopped(backend):
    os.kill(backend, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(backend, signal.SIGCONT)


def test_what_the_url_says_counts_more_than_what_the_store_would(postgres_url):
    more = "&application_name=mine&options=-c%20search_path%3Dpublic%20-c%20lock_timeout%3D7s"
    with closing(Store(postgres_url + more)) as store:
        shown = [ask(store, f"SHOW {name}") for name in ("application_name", "search_path", "lock_timeout")]
    assert shown == ["mine", "public", "7s"]


def test_a_transaction_of_a_server_that_is_cut_off_keeps_its_locks_for_a_minute_and_a_command_may_take_longer(
    impatient, postgres_url
):
    name = "SHOW idle_in_transaction_session_timeout"
    with closing(Store(postgres_url)) as command:
        assert (ask(impatient, name), ask(command, name)) == ("1min", "0")


def test_a_statement_that_nobody_waits_for_any_more_ends_in_postgresql_too(impatient, postgres_url):
    with pytest.raises(Unavailable):
        ask(impatient, "SELECT pg_sleep(600)")
    assert ask(impatient, "SELECT 1") == 1
    running = (
        "SELECT COUNT(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
    )
    with psycopg.connect(postgres_url, autocommit=True) as operator:
        wait_until(lambda: operator.execute(running).fetchone() == (0,))


def test_a_commit_that_is_not_answered_is_in_doubt_and_counted_once(impatient):
    organization = founded(impatient)

    def work():
        events.add(impatient, organization, [("", EMAIL)], NOON)
        backends.append(impatient.execute("SELECT pg_backend_pid()").fetchone()[0])
        os.kill(backends[0], signal.SIGSTOP)

    backends = []
    with pytest.raises(Unavailable):
        impatient.write(work)
    assert len(backends) == 1, "it was waited for once more"
    os.kill(backends[0], signal.SIGCONT)
    wait_until(lambda: messages(impatient, organization) == 1)
    assert record(impatient, organization, "a").duplicates == 1
    assert differences(impatient, organization) == []


def test_a_lost_answer_in_the_middle_of_a_transaction_leaves_nothing(impatient):
    organization = founded(impatient)

    def work():
        events.add(impatient, organization, [("", EMAIL)], NOON)
        backend = impatient.execute("SELECT pg_backend_pid()").fetchone()[0]
        with stopped(backend):
            impatient.execute("SELECT 1")

    with pytest.raises(Unavailable):
        impatient.write(work)
    assert record(impatient, organization, "a").accepted == 1
    assert differences(impatient, organization) == []


def test_a_server_that_takes_connections_and_says_nothing_is_waited_for_once_by_all_who_come_meanwhile():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing"
        store = Store(url, busy_timeout_seconds=3, answer_seconds=ANSWER_SECONDS)
        together = threading.Barrier(8)

        def ask_it(_):
            together.wait(20)
            with pytest.raises(Unavailable):
                ask(store, "SELECT 1")

        with closing(store), ThreadPoolExecutor(8) as pool:
            started = time.monotonic()
            list(pool.map(ask_it, range(8)))
            assert time.monotonic() - started < AT_ONCE


@pytest.mark.parametrize(
    ("sqlstate", "cause"),
    [
        ("53100", failures.FULL),
        ("53200", failures.OVERLOADED),
        ("53300", failures.EXHAUSTED),
        ("57014", failures.BROKEN_OFF),
        ("57P01", failures.SILENT),
        ("25P03", failures.SILENT),
        ("08006", failures.SILENT),
        ("55P03", failures.LOCKED),
        ("25006", failures.READ_ONLY),
        ("42501", failures.READ_ONLY),
        ("58030", failures.FAILING),
        ("23505", None),
        ("42601", None),
    ],
)
def test_a_failure_of_postgresql_is_not_reported_as_a_mistake_of_ours(sqlstate, cause):
    error = psycopg.errors.lookup(sqlstate)("it says why,\n\ton two lines")
    wrapped = peewee.OperationalError(error, *error.args)
    assert failures.cause_of(wrapped) == cause
    assert failures.in_one_line(wrapped) == f"it says why, on two lines ({sqlstate})"
