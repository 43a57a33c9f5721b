"""What is versioned of the clients: whole, of exact versions, of the contract's version, and of use without Node.js."""

import json
import re
import shutil
import tomllib

import pytest

from sendmeter.contract import contract
from tests.clients.generated_projects import generate, lay_out
from tests.live import ROOT

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("clients")]
FOLDER = ROOT / "clients/typescript"
LOCK = json.loads((FOLDER / "package-lock.json").read_text())
PACKAGE = json.loads((FOLDER / "package.json").read_text())


def test_each_client_has_the_version_of_the_contract():
    python = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]
    versions = {PACKAGE["version"], LOCK["version"], LOCK["packages"][""]["version"], python["version"]}
    assert versions == {contract().document["info"]["version"]}


def test_each_package_is_locked_with_its_hash_and_without_a_registrys_address():
    for name, package in LOCK["packages"].items():
        assert "resolved" not in package, name
        assert name == "" or re.fullmatch(r"sha512-[\w+/]+=*", package["integrity"]), name


def test_each_dependency_has_an_exact_version():
    for name, version in (PACKAGE["dependencies"] | PACKAGE["devDependencies"]).items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version


def test_without_npm_the_target_succeeds_and_says_what_it_leaves_out(tmp_path):
    folder = lay_out(tmp_path)
    (folder / "bin").mkdir()
    for name in ("sh", "rm"):
        (folder / "bin" / name).symlink_to(shutil.which(name))
    (folder / ".venv").unlink()
    (folder / ".venv").mkdir()
    said = generate("client-typescript", folder, there=("run", "test"), PATH=str(folder / "bin"))
    assert said.splitlines() == [
        "There is no npm (it comes with Node.js 20): what needs clients/typescript is skipped.",
        "Without npm there is no client for TypeScript.",
    ]
    assert not (folder / ".venv/node.stamp").exists()
    assert not (folder / "clients/typescript/schema.ts").exists()
