"""Commands that are killed at any moment leave nothing half done, and do what is left when they are run again.

PROOF_KILLS says how often each is killed (`make proof`), PROOF_SEED repeats the choices. What was counted is in
build/proof. `test_migrations_cut.py` kills at chosen statements.
"""

import json
import random
from contextlib import closing
from datetime import timedelta

import pytest

from sendmeter.services.verify import differences
from sendmeter.startup import utc_now
from sendmeter.store import Store
from sendmeter.store.schema import state_of, upgrade
from tests.cli.files import lines_of, rows, stored_ids
from tests.cli.full_database import content, fill, is_empty
from tests.live import run_json
from tests.proof.crash_checks import wait_until_quiet
from tests.proof.crash_commands import Killing
from tests.proof.crash_old import Databases, is_whole
from tests.proof.crash_run import founded, seed
from tests.proof.crash_server import server_of
from tests.proof.length import IS_LONG, long_only, wanted_kills

EVENTS = 40_000 if IS_LONG else 4_000
# The short form is on SQLite alone: it is the same work on both.
KINDS = ["sqlite", "postgresql"] if IS_LONG else ["sqlite"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def databases(kind, request, tmp_path):
    return Databases(tmp_path, request.getfixturevalue("postgres") if kind == "postgresql" else None, 20_000)


@pytest.fixture
def killing(request, tmp_path):
    return Killing(tmp_path, random.Random(f"{seed()} {request.node.name}"))


@long_only
def test_an_upgrade_that_is_killed_at_any_moment_has_done_nothing_or_all_and_is_run_again(databases, killing, kind):
    for _ in range(wanted_kills(1)):
        url = databases.old()
        killing.kill(url, "db", "upgrade", "--database", url)
        databases.recover(url)
        killing.came_to(databases.check_old_or_new(url))
        databases.check_upgrade(url)
        assert is_whole(url)
        databases.drop(url)
    killing.report(f"upgrade-{kind}")


def test_a_first_start_that_is_killed_at_any_moment_has_laid_no_table_or_all_and_the_next_one_serves(
    databases, killing, kind, tmp_path
):
    for _ in range(wanted_kills(1)):
        url = databases.empty()
        killing.kill(url, "serve", "--port", "0", "--database", url)
        with closing(Store(url)) as store:
            wait_until_quiet(store)
            state = state_of(store)
            assert state.is_empty or state.is_current
            killing.came_to(state.is_current)
        with server_of(url, tmp_path, 1) as server:
            assert server.stop() == 0
        assert is_whole(url)
        databases.drop(url)
    killing.report(f"first-start-{kind}")


def test_an_import_that_is_killed_again_and_again_records_each_event_once(kind, request, killing, tmp_path):
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else f"sqlite:///{tmp_path}/import.db"
    made = months_of_events()
    (tmp_path / "events.ndjson").write_text(lines_of(made))
    with closing(Store(url)) as store:
        upgrade(store)
        organization = founded(store).organization
        command = ["import", "events.ndjson", "--backfill", "--organization", organization.organization_id]
        stored, killing.longest = set(), 0.05
        for _ in range(wanted_kills(1)):
            awaited = min(len(stored) + killing.chance.randrange(2_000), EVENTS)
            killing.kill(url, *command, "--database", url, has_begun=lambda least=awaited: stored_by(store) >= least)
            wait_until_quiet(store)
            before, stored = stored, stored_ids(url)
            assert before <= stored
            assert len(stored) % 1_000 == 0, "half a batch is stored"
            assert told_of(url) == len(stored)
            assert differences(store, organization) == []
            if len(stored) == EVENTS:
                break
        report = run_json(*command, database_url=url, cwd=tmp_path)
        assert (report["accepted"], report["duplicates"]) == (EVENTS - len(stored), len(stored))
        assert stored_ids(url) == {event["id"] for event in made}
        assert told_of(url) == EVENTS
        assert differences(store, organization) == []
    killing.report(f"import-{kind}", events=EVENTS, storedBeforeTheLast=len(stored))


def months_of_events():
    now = utc_now()
    days = [(now - timedelta(days=number % 90)).isoformat() for number in range(EVENTS)]
    return [
        {"id": f"e{number}", "channel": "SMS", "cost": "0.01", "occurredAt": day} for number, day in enumerate(days)
    ]


def stored_by(store):
    return store.read(lambda: store.execute("SELECT COUNT(*) FROM events").fetchone()[0])


def told_of(url):
    """Add up how many events the audit log says were backfilled."""
    found = rows(url, "SELECT details FROM audit_log WHERE action = 'events.backfilled'")
    return sum(json.loads(row[0])["events"] for row in found)


@long_only
def test_a_copy_that_is_killed_at_any_moment_leaves_its_target_empty_or_whole(databases, killing, kind, tmp_path):
    source = f"sqlite:///{tmp_path}/source.db"
    fill(source)
    expected = content(source)
    for _ in range(wanted_kills(1)):
        url = databases.empty()
        killing.kill(url, "db", "copy", source, url)
        databases.recover(url)
        is_done = not is_empty(url)
        killing.came_to(is_done)
        if is_done:
            assert content(url) == expected
            databases.drop(url)
            url = databases.empty()
        run_json("db", "copy", source, url)
        assert content(url) == expected
        assert is_whole(url)
        databases.drop(url)
    killing.report(f"copy-{kind}")
