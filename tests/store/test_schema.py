"""The schema: laid where there is none, brought up to date, refused where it is another's."""

import multiprocessing
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from peewee import Model

from sendmeter.errors import Unavailable
from sendmeter.settings import Settings
from sendmeter.startup import UnknownSchema, open_store
from sendmeter.store import Store, schema, tables
from sendmeter.store.schema import HISTORY, MIGRATIONS, state_of, upgrade

STEPS = len(list(MIGRATIONS.glob("[0-9]*.py")))
MODELS = [model for model in vars(tables).values() if isinstance(model, type) and issubclass(model, Model)]
TABLES = [model for model in MODELS if model.__name__[0] not in "_M"]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    if request.param == "postgresql":
        return request.getfixturevalue("empty_postgres_url")
    return f"sqlite:///{tmp_path}/empty.db"


def test_an_empty_database_gets_its_tables_when_it_is_opened(empty_url):
    with closing(open_store(Settings(database_url=empty_url))) as store:
        assert state_of(store).is_current
        assert {model._meta.table_name for model in TABLES} <= set(store.read(store.database.get_tables))


def test_a_database_of_a_newer_version_is_refused(database_url, store):
    step = (f"INSERT INTO {HISTORY} (id, name, applied) VALUES (9999, '9999_later', '2030-01-01 00:00:00')", ())
    store.write(lambda: store.execute(*step))
    with pytest.raises(UnknownSchema, match=r"newer version of Sendmeter \(it has 9999_later\)"):
        open_store(Settings(database_url=database_url))


def test_a_database_that_lacks_a_step_is_refused_with_the_command_to_run(database_url, store, tmp_path, monkeypatch):
    later = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, later)
    step = "def up(migrator, db):\n    db.execute_sql('CREATE TABLE later (x BIGINT)')\n"
    (later / "9998_later.py").write_text(step)
    monkeypatch.setattr("sendmeter.store.schema.MIGRATIONS", later)
    with pytest.raises(UnknownSchema, match=r'lacks 9998_later.*"sendmeter db upgrade"'):
        open_store(Settings(database_url=database_url))
    assert upgrade(store) == ("9998_later",)
    assert upgrade(store) == ()
    open_store(Settings(database_url=database_url)).close()


def test_files_of_this_version_that_cannot_be_read_do_not_make_the_database_one_of_a_newer(
    database_url, store, tmp_path, monkeypatch
):
    """So it is where there are no file descriptors left. What could not be read is read again."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    monkeypatch.setattr(schema, "MIGRATIONS", directory)
    with pytest.raises(Unavailable, match="cannot be read"):
        state_of(store)
    shutil.copytree(MIGRATIONS, directory, dirs_exist_ok=True)
    assert state_of(store).is_current


def test_a_step_that_fails_leaves_nothing_behind(empty_url, tmp_path, monkeypatch):
    broken = tmp_path / "migrations"
    broken.mkdir()
    (broken / "0001_half.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE half (x BIGINT)')\n    raise RuntimeError('cut off')\n"
    )
    monkeypatch.setattr("sendmeter.store.schema.MIGRATIONS", broken)
    with closing(Store(empty_url)) as store:
        with pytest.raises(RuntimeError, match="cut off"):
            upgrade(store)
        assert store.read(store.database.get_tables) == []


def test_threads_that_find_an_empty_database_at_the_same_instant_lay_its_tables_once(empty_url):
    together = threading.Barrier(4)

    def work(_):
        together.wait(20)
        with closing(open_store(Settings(database_url=empty_url))) as store:
            return len(state_of(store).applied)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(4))) == [STEPS] * 4


def _upgrade(url, start, applied):
    start.wait(30)
    with closing(open_store(Settings(database_url=url))) as store:
        applied.put(len(state_of(store).applied))


def test_processes_that_find_an_empty_database_at_once_lay_its_tables_once(empty_url):
    context = multiprocessing.get_context("spawn")
    start, applied = context.Event(), context.Queue()
    processes = [context.Process(target=_upgrade, args=(empty_url, start, applied)) for _ in range(3)]
    for process in processes:
        process.start()
    start.set()
    assert [applied.get(timeout=60) for _ in processes] == [STEPS] * 3
    for process in processes:
        process.join(30)
        assert process.exitcode == 0


@pytest.mark.parametrize("table", TABLES, ids=lambda model: model._meta.table_name)
def test_the_models_have_the_columns_and_keys_that_the_migrations_make(store, table):
    made = store.read(lambda: store.database.get_columns(table._meta.table_name))
    fields = {field.column_name: field for field in table._meta.sorted_fields}
    assert {column.name for column in made} == set(fields)
    assert {column.name: column.null for column in made} == {name: field.null for name, field in fields.items()}
    keys = store.read(lambda: store.database.get_primary_keys(table._meta.table_name))
    key = table._meta.primary_key
    assert set(keys) == set(getattr(key, "field_names", None) or [key.column_name])


@pytest.mark.parametrize("table", TABLES, ids=lambda model: model._meta.table_name)
def test_every_unique_index_and_key_begins_with_the_organization(store, table):
    """So that PostgreSQL can distribute the tables by organization (decision 0003)."""
    found = store.read(lambda: store.database.get_indexes(table._meta.table_name))
    unique = [index for index in found if index.unique]
    assert unique or store.is_sqlite
    assert all(index.columns[0] == "organization_id" for index in unique)
    foreign = store.read(lambda: store.database.get_foreign_keys(table._meta.table_name))
    assert foreign == [] or any(key.column == "organization_id" for key in foreign)


def test_a_file_that_is_no_database_is_refused_by_its_name(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no database, but long enough to be taken for one\n" * 100)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        open_store(Settings(database_url=str(path)))
    assert path.read_text().startswith("no database"), "the file was overwritten"
