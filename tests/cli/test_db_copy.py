"""`sendmeter db copy`: all of it arrives, from either database in either, while it is used, or nothing does."""

import json
import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from sendmeter.store import Store
from sendmeter.store.copying import TABLES
from tests.cli.files import rows, stored_ids
from tests.cli.full_database import content, fill, is_empty
from tests.live import SENDMETER, Client, Clock, live_server, run_cli, run_json, served_process

UNDER_WAY = "SELECT 1 FROM pg_locks WHERE mode = 'ExclusiveLock' AND relation = 'organizations'::regclass"


def test_everything_arrives_in_postgresql_and_back_in_sqlite_as_it_was(tmp_path, empty_postgres_url):
    first, last = f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/last.db"
    token = fill(first)
    there = run_json("db", "copy", first, empty_postgres_url)
    back = run_json("db", "copy", empty_postgres_url, last)
    assert there == back
    assert there["verified"]
    before = content(first)
    for table, found in before.items():
        blank = [column for column, values in enumerate(zip(*found, strict=True)) if not any(values)]
        assert found, f"the test would not see that {table} is left out"
        assert not blank, f"the test would not see that columns of {table} are left out"
    assert {table: len(found) for table, found in before.items()} == there["rows"]
    assert content(last) == before
    now = datetime.now(UTC)
    expected = answers(first, token, now)
    assert answers(empty_postgres_url, token, now) == expected
    assert answers(last, token, now) == expected
    assert run_json("verify", database_url=empty_postgres_url) == {"organizations": 2, "differences": {}}


def answers(url, token, now):
    """Ask a server over the database, with a key that was made before the copy, for what depends on every table."""
    with closing(Store(url)) as store, live_server(store, Clock(now), provider_grace_seconds=0) as server:
        client = server.client(token)
        owed = client.usage()
        assert (owed.status_code, owed.json()["error"]["provider"]) == (502, "telnyx")
        found = [client.usage("?costs=known"), client.request("GET", "/organization/limits")]
        found.append(client.request("GET", "/organization/usage/events", params={"limit": 100}))
        found.append(client.request("GET", "/organization/usage/events/costed", params={"source": "crm"}))
        found += [client.request("GET", f"/organization/usage/holds/{name}") for name in ("standing", "settled")]
        # The key of the cursors is copied too: a listing that was begun before goes on after.
        cursor = found[2].json()["nextCursor"]
        found.append(client.request("GET", "/organization/usage/events", params={"limit": 100, "cursor": cursor}))
        assert {answer.status_code for answer in found} == {200}, [answer.text for answer in found]
        return [without_cursor(answer.json()) for answer in found]


def without_cursor(answer):
    return {name: value for name, value in answer.items() if name != "nextCursor"}


def test_the_rows_of_each_table_are_told_and_that_they_were_verified(shop, tmp_path):
    told = run_cli("db", "copy", "sendmeter.db", "copy.db", cwd=tmp_path)
    *lines, last = told.stdout.splitlines()
    counts = {line.split()[0]: int(line.split()[1]) for line in lines}
    assert list(counts) == list(TABLES)
    assert (counts["organizations"], counts["api_keys"], counts["audit_log"], counts["events"]) == (1, 1, 2, 0)
    assert "verified" in last
    assert "Copying" in told.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "sendmeter.db"]


def test_a_database_can_be_copied_into_tables_that_are_laid_but_empty(any_shop, postgres, tmp_path):
    target = f"sqlite:///{tmp_path}/laid.db"
    run_cli("organizations", "list", database_url=target)
    run_cli("db", "copy", any_shop["url"], target)
    assert run_json("keys", "list", database_url=target) == run_json("keys", "list", database_url=any_shop["url"])


def test_a_sqlite_database_is_backed_up_while_the_server_records(shop, tmp_path):
    acknowledged, statuses, stop = [], set(), threading.Event()
    with served_process(shop["url"], tmp_path) as server:
        client = Client(server.url, shop["apiKey"])

        def send():
            while not stop.is_set():
                batch = [{"id": f"m-{len(acknowledged)}-{index}", "channel": "EMAIL"} for index in range(20)]
                statuses.add(client.record(*batch).status_code)
                acknowledged.append({event["id"] for event in batch})

        sender = threading.Thread(target=send)
        sender.start()
        try:
            while len(acknowledged) < 20:
                time.sleep(0.01)
            before = len(acknowledged)
            copied = run_json("db", "copy", "sendmeter.db", "backup.db", cwd=tmp_path)
            after = len(acknowledged)
        finally:
            stop.set()
            sender.join()
            client.close()
    assert statuses == {200}
    assert after > before, "nothing was recorded meanwhile: the test shows nothing"
    backup = stored_ids(f"sqlite:///{tmp_path}/backup.db")
    batches_kept = len(backup) // 20
    assert before <= batches_kept <= after + 1
    assert backup == set().union(*acknowledged[:batches_kept]), "not the data of one instant"
    assert copied["rows"]["events"] == len(backup)
    assert stored_ids(shop["url"]) == set().union(*acknowledged)
    assert run_json("verify", database_url=f"sqlite:///{tmp_path}/backup.db")["differences"] == {}


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_copy_that_is_killed_in_the_middle_leaves_nothing_and_can_be_run_again(target, shop, tmp_path, request):
    url = f"sqlite:///{tmp_path}/copy.db" if target == "sqlite" else request.getfixturevalue("postgres_url")
    make_long(tmp_path / "sendmeter.db")
    command = [SENDMETER, "db", "copy", shop["url"], url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as copying:
        deadline = time.monotonic() + 60
        while not is_under_way(url, tmp_path / "copy.db"):
            assert time.monotonic() < deadline
            assert copying.poll() is None, "it ended before it was killed"
            time.sleep(0.02)
        time.sleep(0.2)
        assert copying.poll() is None, "it ended before it was killed"
        copying.send_signal(signal.SIGKILL)
    assert is_empty(url)
    assert run_json("db", "copy", shop["url"], url)["rows"]["audit_log"] == 60_002


def make_long(file):
    """Fill the audit log with so many lines that copying takes seconds."""
    statement = """
    INSERT INTO audit_log WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 60000)
    SELECT organization_id, 'aud_' || n, n, 'test', 'test', '{}' FROM numbers, organizations
    """
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def is_under_way(url, file):
    """Return whether somebody writes to the database."""
    if url.startswith("postgresql:"):
        with psycopg.connect(url) as database:
            return bool(database.execute(UNDER_WAY).fetchone())
    if not file.exists():
        return False
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        return False


def test_ctrl_c_leaves_nothing_and_no_traceback(shop, tmp_path):
    make_long(tmp_path / "sendmeter.db")
    command = [str(SENDMETER), "db", "copy", "sendmeter.db", "copy.db"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as copying:
        while not is_under_way("sqlite:", tmp_path / "copy.db"):
            assert copying.poll() is None
            time.sleep(0.02)
        copying.send_signal(signal.SIGINT)
        told = copying.communicate(timeout=60)
    assert copying.returncode == 1
    assert "Aborted!" in told[1]
    assert "Traceback" not in told[1]
    assert is_empty(f"sqlite:///{tmp_path}/copy.db")


def test_the_answer_of_the_copy_is_json_for_scripts(shop, run_here):
    value = json.loads(run_here("db", "copy", "sendmeter.db", "copy.db", "--json").stdout)
    assert value["rows"]["organizations"] == len(rows(shop["url"], "SELECT 1 FROM organizations"))
