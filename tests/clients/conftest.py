"""Both clients, generated afresh by the Makefile's own targets, once."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.generated_projects import generate, guide, lay_out
from tests.live import ROOT
from tests.tools import missing, program

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def python_client(tmp_path_factory):
    """The folder of the Python client; `generated.txt` has what its generator said."""
    folder = lay_out(tmp_path_factory.mktemp("python")) / "clients/python"
    (folder / "generated.txt").write_text(generate("client-python", folder.parents[1]))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="session")
def node():
    """Node.js, with what the Makefile installs for the TypeScript client."""
    found = program("node", install="Install Node.js 20 or newer.")
    program("npm", install="It comes with Node.js 20 or newer.")
    if not (ROOT / "clients/typescript/node_modules/.bin/tsc").exists():
        missing("clients/typescript has no node_modules. `make clients` installs them.")
    return found


@pytest.fixture(scope="session")
def typescript_client(tmp_path_factory, node):
    """The folder of the TypeScript client, compiled together with the programs of this folder and the guide's."""
    folder = lay_out(tmp_path_factory.mktemp("typescript")) / "clients/typescript"
    for each in HERE.glob("*.ts"):
        shutil.copy(each, folder)
    (folder / "guide.ts").write_text(guide("ts"))
    (folder / "generated.txt").write_text(generate("client-typescript", folder.parents[1]))
    return folder
