"""A backup is the whole database in a new file of its own, or there is none; it replaces nothing."""

import errno
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from sendmeter.errors import Conflict, NotFound
from sendmeter.services.backup import Backup, back_up
from sendmeter.store import Store
from tests.services.use_cases import check, founded, record


def ignored(_done, _of):
    """Look at no progress."""


def test_a_backup_has_everything_and_may_be_read_by_whoever_may_read_the_database(sqlite_store, tmp_path):
    organization = founded(sqlite_store)
    record(sqlite_store, organization, "a")
    steps = []
    file = tmp_path / "backup.db"
    tmp_path.joinpath("test.db").chmod(0o640)
    done = back_up(sqlite_store, file, lambda *step: steps.append(step))
    assert done == Backup(file.stat().st_size, 1, {}, is_verified=True)
    assert steps[-1][0] == steps[-1][1]
    assert file.stat().st_mode & 0o777 == 0o640
    assert [left.name for left in tmp_path.iterdir() if "partial" in left.name] == []
    with closing(Store(f"sqlite:///{file}")) as copy:
        check(copy, organization)
        record(copy, organization, "b")


def test_what_does_not_add_up_is_told_by_organization(sqlite_store, tmp_path):
    right, wrong = founded(sqlite_store), founded(sqlite_store)
    for organization in (right, wrong):
        record(sqlite_store, organization, "a")
    damage = "UPDATE day_counters SET quantity = 9 WHERE organization_id = ?"
    sqlite_store.write(lambda: sqlite_store.execute(damage, (wrong.number,)))
    done = back_up(sqlite_store, tmp_path / "backup.db", ignored)
    assert (done.organizations, list(done.differences)) == (2, [wrong.organization_id])


def test_a_database_of_another_version_is_backed_up_and_not_said_to_be_verified(sqlite_store, tmp_path):
    founded(sqlite_store)
    sqlite_store.write(lambda: sqlite_store.execute("DELETE FROM schema_migration WHERE id > 1"))
    file = tmp_path / "backup.db"
    assert back_up(sqlite_store, file, ignored) == Backup(file.stat().st_size, 0, {}, is_verified=False)


@pytest.mark.parametrize(
    ("url", "refusal", "said"),
    [
        ("postgresql://nobody@/none", Conflict, "PostgreSQL has its own tool for this"),
        ("sqlite:///{}/none.db", NotFound, "There is no database {}/none.db"),
        ("sqlite:///{}/empty.db", Conflict, "{}/empty.db has no tables"),
    ],
)
def test_where_there_is_nothing_to_back_up_no_file_is_made(url, refusal, said, tmp_path):
    (tmp_path / "empty.db").touch()
    before = set(tmp_path.iterdir())
    with closing(Store(url.format(tmp_path))) as store, pytest.raises(refusal, match=re.escape(said.format(tmp_path))):
        back_up(store, tmp_path / "backup.db", ignored)
    assert {file for file in tmp_path.iterdir() if "empty.db-" not in file.name} == before


@pytest.mark.parametrize("knows_second_names", [True, False])
def test_a_file_that_is_there_is_not_replaced_not_even_one_that_comes_meanwhile(
    knows_second_names, sqlite_store, tmp_path, monkeypatch
):
    """Not every file system can give a file a second name: that of a memory card, or a share."""

    def refuse(file, _target):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(file))

    if not knows_second_names:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = tmp_path / "backup.db"

    def meanwhile(_done, _of):
        file.write_text("precious")

    def too_late(_done, _of):
        pytest.fail("it is copied in vain")

    for progress in (meanwhile, too_late):
        with pytest.raises(Conflict, match="is there already"):
            back_up(sqlite_store, file, progress)
        assert file.read_text() == "precious"
    file.unlink()
    assert back_up(sqlite_store, file, ignored).is_verified
    assert file.exists()
    assert [left.name for left in tmp_path.iterdir() if "partial" in left.name] == []


def test_two_backups_to_one_name_that_end_together_both_succeed(sqlite_store, tmp_path):
    together = threading.Barrier(2, timeout=60)

    def at_the_end(done, of):
        if done == of:
            together.wait()

    def back_up_to(file):
        with closing(Store(str(sqlite_store.path))) as store:
            return back_up(store, file, at_the_end)

    with ThreadPoolExecutor(2) as threads:
        for number in range(20):
            ended = [threads.submit(back_up_to, tmp_path / f"{number}.db") for _ in range(2)]
            assert sorted(type(each.exception()).__name__ for each in ended) == ["Conflict", "NoneType"]
