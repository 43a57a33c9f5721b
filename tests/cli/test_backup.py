"""`sendmeter backup`: a file that is complete, or none; what it refuses leaves everything as it was."""

import signal
import sqlite3
import stat
import subprocess
import time
from contextlib import closing

from tests.cli.full_database import content, fill
from tests.live import SENDMETER, run_cli, run_json


def test_a_backup_has_everything_that_the_database_has(tmp_path):
    fill(f"sqlite:///{tmp_path}/sendmeter.db")
    made = run_json("backup", "backup.db", cwd=tmp_path)
    copy = tmp_path / "backup.db"
    assert made == {
        "file": "backup.db",
        "bytes": copy.stat().st_size,
        "verified": True,
        "organizations": 2,
        "differences": {},
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["backup.db", "sendmeter.db"]
    assert content(f"sqlite:///{copy}") == content(f"sqlite:///{tmp_path}/sendmeter.db")
    told = run_cli("backup", "another.db", cwd=tmp_path)
    assert told.stdout == f"another.db: {copy.stat().st_size:,} bytes. Every counter is what its ledger adds up to.\n"
    assert "Copying" in told.stderr


def test_a_backup_is_readable_only_by_those_who_may_read_the_database(shop, tmp_path):
    (tmp_path / "sendmeter.db").chmod(0o600)
    run_cli("backup", "backup.db", cwd=tmp_path)
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600


def test_a_backup_replaces_no_file_and_requires_a_database(shop, postgres_url, tmp_path):
    (tmp_path / "older.db").write_text("an older backup")
    (tmp_path / "dangling.db").symlink_to("nowhere")
    (tmp_path / "empty.db").touch()
    there = sorted(tmp_path.iterdir())

    def refused(*arguments, **options):
        return run_cli("backup", *arguments, cwd=tmp_path, expected=1, **options).stderr

    assert "older.db is there already." in refused("older.db")
    assert "dangling.db is there already." in refused("dangling.db")
    assert "sendmeter.db is there already." in refused("sendmeter.db")
    assert "There can be no file beside away/backup.db: No such file" in refused("away/backup.db")
    assert "There is no database missing.db." in refused("backup.db", "--database", "missing.db")
    assert "there is nothing to back up" in refused("backup.db", "--database", "empty.db")
    assert "pg_dump" in refused("backup.db", database_url=postgres_url)
    assert (tmp_path / "older.db").read_text() == "an older backup"
    assert sorted(tmp_path.iterdir()) == there


def test_a_wrong_counter_is_reported_and_does_not_prevent_a_backup(shop, tmp_path):
    run_cli(
        "import", "-", "--organization", shop["organizationId"], cwd=tmp_path, stdin='{"id": "1", "channel": "EMAIL"}'
    )
    with closing(sqlite3.connect(tmp_path / "sendmeter.db")) as database, database:
        database.execute("UPDATE cycle_counters SET quantity = quantity + 1")
    told = run_cli("backup", "backup.db", cwd=tmp_path, expected=1)
    assert f"Counters of {shop['organizationId']} are wrong" in told.stdout
    assert (tmp_path / "backup.db").exists()


def test_a_damaged_database_makes_no_backup(shop, tmp_path):
    file = tmp_path / "sendmeter.db"
    with closing(sqlite3.connect(file)) as database, database:
        root, size = (
            database.execute(statement).fetchone()[0]
            for statement in ("SELECT rootpage FROM sqlite_master WHERE name = 'audit_log'", "PRAGMA page_size")
        )
    with file.open("r+b") as damaged:
        damaged.seek((root - 1) * size)
        damaged.write(b"\xff" * 100)
    told = run_cli("backup", "backup.db", cwd=tmp_path, expected=3).stderr
    assert "The database is damaged" in told
    assert [path.name for path in tmp_path.iterdir()] == ["sendmeter.db"]


def test_the_database_of_an_older_version_can_be_backed_up_before_its_upgrade(shop, tmp_path):
    with closing(sqlite3.connect(tmp_path / "sendmeter.db")) as database, database:
        database.execute("DELETE FROM schema_migration WHERE name = (SELECT MAX(name) FROM schema_migration)")
    told = run_cli("backup", "backup.db", cwd=tmp_path).stdout
    assert "It is of another version, so its counters were not added up" in told
    assert run_json("backup", "another.db", cwd=tmp_path)["verified"] is False


def test_an_interrupted_backup_leaves_no_file(shop, tmp_path):
    with closing(sqlite3.connect(tmp_path / "sendmeter.db")) as database, database:
        database.execute("CREATE TABLE weight (w)")
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)"
        database.execute(f"{numbers} INSERT INTO weight SELECT zeroblob(4000) FROM n")
    backup = subprocess.Popen([SENDMETER, "backup", "backup.db"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not any(path.stat().st_size for path in tmp_path.glob("backup.db.partial-*")):
        assert backup.poll() is None, "it was done before it could be broken off"
        time.sleep(0.001)
    backup.send_signal(signal.SIGINT)
    assert backup.wait(30) != 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("backup")] == []


def test_a_full_disk_leaves_no_backup(shop, tmp_path):
    limit = (tmp_path / "sendmeter.db").stat().st_size // 2
    full = subprocess.run(
        ["prlimit", f"--fsize={limit}", SENDMETER, "backup", "backup.db"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert full.returncode == 3
    assert "The copy cannot be written" in full.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sendmeter.db"]
