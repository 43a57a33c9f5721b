"""`sendmeter db copy`, refused: where it would lose, mix or overwrite something, and where a row arrives otherwise."""

import shutil
import sqlite3
from contextlib import closing

import psycopg
import pytest

from tests.cli.full_database import content, fill, is_empty
from tests.live import run_cli, run_json


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A database with something in every table."""
    file = tmp_path_factory.mktemp("whole") / "whole.db"
    fill(f"sqlite:///{file}")
    return file


def refused(run_here, source, target, *said, exit_code=1):
    """Expect a copy to be refused in so many words; give them."""
    done = run_here("db", "copy", source, target)
    assert done.exit_code == exit_code, done.output
    assert done.stdout == ""
    told = " ".join(done.stderr.split())
    for part in said:
        assert part in told
    return told


def changed(file, *statements):
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def test_a_source_that_is_not_there_is_refused_and_neither_file_is_made(run_here, tmp_path):
    refused(run_here, "no.db", "copy.db", "There is no file no.db to copy from.")
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_tables_is_refused_and_no_target_is_made(run_here, tmp_path):
    (tmp_path / "empty.db").touch()
    refused(run_here, "empty.db", "copy.db", "FROM has no tables")
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith("empty.db")] == []


def test_a_source_that_is_no_database_is_refused(run_here, tmp_path):
    (tmp_path / "letter.db").write_bytes(b"This is a letter, and no database.\n" * 100)
    refused(run_here, "letter.db", "copy.db", "letter.db is not a database of SQLite")


def test_a_target_that_has_an_organization_is_refused_and_keeps_it(any_shop, whole, run_here):
    before = content(any_shop["url"])
    refused(run_here, str(whole), any_shop["url"], "TO is not empty.", "Name a database that is empty, or a new file.")
    assert content(any_shop["url"]) == before


def test_a_target_that_somebody_else_uses_is_refused(shop, run_here, tmp_path, empty_postgres_url):
    changed(tmp_path / "other.db", "CREATE TABLE letters (text TEXT)")
    refused(run_here, "sendmeter.db", "other.db", "TO has tables that are not Sendmeter's.")
    with psycopg.connect(empty_postgres_url) as database:
        database.execute("CREATE TABLE letters (text TEXT)")
    refused(run_here, "sendmeter.db", empty_postgres_url, "TO has tables that are not Sendmeter's.")
    assert content(empty_postgres_url) == {"letters": []}


def test_a_database_is_not_copied_to_itself_whatever_it_is_called(shop, run_here, tmp_path):
    (tmp_path / "link.db").symlink_to("sendmeter.db")
    (tmp_path / "hard.db").hardlink_to(tmp_path / "sendmeter.db")
    for name in ("sendmeter.db", "./sendmeter.db", f"sqlite:///{tmp_path}/sendmeter.db", "link.db", "hard.db"):
        refused(run_here, shop["url"], name, "FROM and TO are the same database.")


def test_a_postgresql_is_not_copied_to_itself_whatever_it_is_called(postgres_shop, run_here):
    url = postgres_shop["url"]
    again = url + ("&" if "?" in url else "?") + "application_name=other"
    refused(run_here, url, again, "FROM and TO are the same database.")


@pytest.mark.parametrize("which", ["FROM", "TO"])
def test_a_database_of_another_version_is_refused_with_what_to_do(which, shop, run_here, tmp_path):
    shutil.copy(tmp_path / "sendmeter.db", tmp_path / "other.db")
    changed(tmp_path / "other.db", "DELETE FROM schema_migration WHERE id > 1")
    pair = ("other.db", "copy.db") if which == "FROM" else ("sendmeter.db", "other.db")
    refused(run_here, *pair, f"{which} is of another version.", 'run "sendmeter db upgrade"')
    changed(tmp_path / "other.db", "INSERT INTO schema_migration VALUES (99, '0099_later', '2030-01-01 00:00')")
    refused(run_here, *pair, f"{which} is of another version.", "newer version of Sendmeter (it has 0099_later)")
    assert (tmp_path / "copy.db").exists() is False


DAMAGES = [
    ("events", "UPDATE events SET provider_message_id = 'other' WHERE event_id = 'costed'"),
    ("corrections", "UPDATE corrections SET reason = NULL WHERE reason = 'twice'"),
    ("events", "UPDATE events SET late = FALSE WHERE event_id = 'late'"),
    ("api_keys", "UPDATE api_keys SET revoked_at = NULL"),
    ("holds", "DELETE FROM holds WHERE hold_id = 'standing'"),
    ("audit_log", "UPDATE audit_log SET details = details || ' '"),
]


def said(table, damage):
    return f"{table} has " if damage.startswith("DELETE") else f"the rows of {table} are not the same"


@pytest.mark.parametrize(("table", "damage"), DAMAGES)
def test_a_row_that_arrives_otherwise_in_sqlite_is_noticed_and_nothing_is_kept(
    table, damage, whole, run_here, tmp_path
):
    run_here("organizations", "list", "--database", "target.db")
    changed(tmp_path / "target.db", f"CREATE TRIGGER damage AFTER INSERT ON {table} BEGIN {damage}; END")
    refused(run_here, str(whole), "target.db", f"The verification failed: {said(table, damage)}", "Nothing was copied.")
    assert is_empty(f"sqlite:///{tmp_path}/target.db")


@pytest.mark.parametrize(("table", "damage"), DAMAGES[:1] + DAMAGES[4:5])
def test_a_row_that_arrives_otherwise_in_postgresql_is_noticed_and_nothing_is_kept(
    table, damage, whole, run_here, postgres_url
):
    with psycopg.connect(postgres_url) as database:
        body = f"BEGIN {damage}; RETURN NULL; END"
        database.execute(f"CREATE FUNCTION damage() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql")
        database.execute(f"CREATE TRIGGER damage AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION damage()")
    refused(run_here, str(whole), postgres_url, f"The verification failed: {said(table, damage)}")
    assert is_empty(postgres_url)


def test_counters_that_are_wrong_in_the_source_are_noticed_and_said_to_be_its_own(whole, run_here, tmp_path):
    shutil.copy(whole, tmp_path / "damaged.db")
    changed(tmp_path / "damaged.db", "UPDATE day_counters SET quantity = quantity + 1 WHERE channel = 'CALL'")
    refused(run_here, "damaged.db", "copy.db", "of FROM is damaged: day ", 'what "sendmeter verify" says of FROM')
    assert is_empty(f"sqlite:///{tmp_path}/copy.db")


@pytest.mark.parametrize(
    ("column", "value"), [("quantity", "1.5"), ("quantity", "'many'"), ("late", "2"), ("source", "x'00ff'")]
)
def test_a_value_that_sqlite_took_and_no_column_means_is_named(column, value, whole, run_here, tmp_path):
    shutil.copy(whole, tmp_path / "damaged.db")
    changed(tmp_path / "damaged.db", f"UPDATE events SET {column} = {value} WHERE event_id = 'plain'")
    refused(run_here, "damaged.db", "copy.db", f"A value of events.{column} is not of its column's type")
    assert is_empty(f"sqlite:///{tmp_path}/copy.db")


def test_a_password_is_never_printed(shop, postgres_url, tmp_path):
    """PostgreSQL trusts whoever comes through its socket, whatever the password."""
    url = postgres_url.replace("postgres:@", "postgres:secret@")
    assert "secret" in url
    for expected in (0, 1):
        told = run_cli("db", "copy", shop["url"], url, expected=expected)
        assert "secret" not in told.stdout + told.stderr
    assert run_json("organizations", "list", database_url=url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret%zz@h/db", "write what is special in the password with a percent sign"),
        ("postgresql://u:secret@h/db?secret=1", "is none of PostgreSQL"),
        ("postgresql:/u:secret@h/db", "Write postgresql://USER:PASSWORD@HOST/NAME."),
        ("mysql://u:secret@h/db", "mysql:// is no database that Sendmeter knows"),
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url, said, shop, run_here):
    for pair in ((shop["url"], url), (url, "copy.db")):
        assert "secret" not in refused(run_here, *pair, said)


def test_which_of_the_two_does_not_answer_is_said(shop, run_here, monkeypatch, tmp_path):
    monkeypatch.setenv("SENDMETER_BUSY_TIMEOUT_SECONDS", "1")
    nobody = f"postgresql://u:secret@/db?host={tmp_path}"
    assert "secret" not in refused(run_here, nobody, "copy.db", "FROM does not answer.", exit_code=3)
    assert "secret" not in refused(run_here, shop["url"], nobody, "TO does not answer.", exit_code=3)
