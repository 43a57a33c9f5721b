"""requirements/*.txt: exact versions with hashes, of all that pyproject.toml asks for, from whatever index."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.live import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"]
TEST = PROJECT["dependency-groups"]["test"]
FILES = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))


def locked(name):
    """Read a lock file: the requirement and the hashes of each entry."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return [(Requirement(line.split(" --hash=")[0]), re.findall(r"--hash=(\S+)", line)) for line in lines]


def versions(name):
    return {canonicalize_name(entry.name): next(iter(entry.specifier)).version for entry, _ in locked(name)}


def test_the_lock_files_are_there():
    assert FILES == ["bench.txt", "proof.txt", "run.txt", "test.txt"]


@pytest.mark.parametrize("name", FILES)
def test_each_locked_requirement_is_one_exact_version_with_hashes(name):
    for entry, hashes in locked(name):
        assert [specifier.operator for specifier in entry.specifier] == ["=="], entry
        assert entry.url is None, entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry


@pytest.mark.parametrize("name", FILES)
def test_a_lock_file_names_no_index_and_no_address(name):
    text = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"://|--index|--extra|--find-links|--trusted", text)


@pytest.mark.parametrize(("name", "wanted"), [("run.txt", RUN), ("test.txt", RUN + TEST)])
def test_each_dependency_of_pyproject_is_locked_at_a_version_that_it_allows(name, wanted):
    found = versions(name)
    for text in wanted:
        wish = Requirement(text)
        assert wish.specifier.contains(found[canonicalize_name(wish.name)]), text


def test_what_runs_is_tested_at_the_very_versions_that_are_installed():
    run, test = versions("run.txt"), versions("test.txt")
    assert run.items() <= test.items()


def test_what_only_tests_need_is_not_installed_to_run():
    assert not {"pytest", "schemathesis", "hypothesis", "mypy", "ruff", "uv"} & versions("run.txt").keys()
