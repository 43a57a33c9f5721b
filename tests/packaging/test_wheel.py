"""The wheel: what pip installs works without the source tree, from an empty folder."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile

import httpx
import pytest

from tests.live import ROOT

# Built and installed once, by one process of the test run (`--dist loadgroup`).
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the sdist, and the wheel from the sdist; give the folder of the two."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """Install the wheel into an empty venv; its dependencies it borrows from this one. Gives the folder of commands."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", wheel_of(built)], check=True)
    # A path in a .pth file comes after the venv's own, and the .pth files in it are not read: that of the editable
    # installation, which would lead to the source tree, does nothing here.
    site = venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


@pytest.fixture
def run(installed, tmp_path):
    """Run an installed command in an empty folder."""

    def run(command, *arguments, **options):
        options = {"cwd": tmp_path, "env": clean_environment(), "text": True} | options
        return subprocess.run([installed / command, *arguments], capture_output=True, check=False, **options)

    return run


def wheel_of(folder):
    return next(folder.glob("sendmeter-*-py3-none-any.whl"))


def clean_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SENDMETER_", "COV"))}


def test_the_wheel_holds_the_package_with_contract_handlers_migrations_and_types_and_no_other_module(built):
    names = zipfile.ZipFile(wheel_of(built)).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"sendmeter"}
    sources = [*(ROOT / "sendmeter").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")]
    expected = {str(path.relative_to(ROOT)).replace("handlers/", "sendmeter/handlers/", 1) for path in sources}
    panel = {f"sendmeter/mock/panel/mock.{ending}" for ending in ("css", "html", "js")}
    assert expected | panel | {"sendmeter/openapi.yaml", "sendmeter/py.typed"} == {
        name for name in names if ".dist-info/" not in name
    }


def test_the_sdist_holds_what_the_wheel_is_built_from_and_nothing_private(built):
    with tarfile.open(next(built.glob("sendmeter-*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "openapi.yaml", "README.md", "LICENSE", "handlers/usage.py"} <= names
    assert not [name for name in names if re.search(r"\.db|\.key$|\.env|^tests/|^\.venv|__pycache__", name)]


def test_the_installed_package_does_not_lean_on_the_source_tree(run, installed):
    where = "import sendmeter, sendmeter.contract as c; print(sendmeter.__file__, c.contract().path)"
    found = run("python", "-c", where).stdout.split()
    assert len(found) == 2
    assert all(path.startswith(str(installed.parent)) for path in found)
    assert "No module named 'handlers'" in run("python", "-c", "import handlers").stderr


def test_the_installed_command_makes_an_organization_and_serves_its_usage(run, installed, tmp_path):
    made = run("sendmeter", "organizations", "create", "--name", "A")
    assert made.returncode == 0, made.stderr
    headers = {"authorization": "Bearer " + re.search(r"sendmeter_sk_\S+", made.stdout)[0]}
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        command = [installed / "sendmeter", "serve", "--port", "0", "--workers", "2"]
        server = subprocess.Popen(command, cwd=tmp_path, stderr=stderr, env=clean_environment())
    try:
        url = listening(server, log)
        assert httpx.get(f"{url}/health/ready", timeout=20).status_code == 200
        usage = httpx.get(f"{url}/organization/usage", headers=headers, timeout=60)
        assert (usage.status_code, usage.json()["messageUsage"]) == (200, 0)
        assert httpx.get(f"{url}/docs", timeout=60).status_code == 200
    finally:
        server.terminate()
        assert server.wait(30) == 0, log.read_text()


def test_the_installed_command_tells_the_version_of_its_own_metadata(run):
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert run("sendmeter", "--version").stdout == f"sendmeter, version {version}\n"
    told = run("python", "-c", "import importlib.metadata as m; print(m.version('sendmeter'))").stdout
    assert told == f"{version}\n"


def listening(server, log):
    deadline = time.monotonic() + 30
    while not (found := re.search(r"listens on (http://\S+)", log.read_text())):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found[1]
