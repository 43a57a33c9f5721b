"""The rules of who may import whom: each catches what it is there to catch, planted in a copy of the source."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.live import ROOT

LAYERS = "Calls go down: cli, mock, serving and gate, app, web and handlers, services, store, domain, errors"
PEEWEE = "Nothing but the store sees peewee"
OUT = "Nothing but the way out asks other servers"
HTTP = "Nothing below web and handlers sees HTTP"
STORE = "Handlers never see the store's tables and queries"
DOMAIN = "The domain sees the standard library only"

PLANTED = [
    (LAYERS, "sendmeter/errors.py", "import sendmeter.domain.money"),
    (LAYERS, "sendmeter/domain/money.py", "import sendmeter.store"),
    (LAYERS, "sendmeter/store/usage.py", "import sendmeter.services.usage"),
    (LAYERS, "sendmeter/services/usage.py", "import handlers.usage"),
    (LAYERS, "sendmeter/services/usage.py", "import sendmeter.web.envelope"),
    (LAYERS, "sendmeter/web/envelope.py", "import sendmeter.app"),
    (LAYERS, "sendmeter/app.py", "import sendmeter.cli.main"),
    (LAYERS, "sendmeter/app.py", "import sendmeter.mock.app"),
    (LAYERS, "sendmeter/web/bridge.py", "import sendmeter.serving.room"),
    (LAYERS, "sendmeter/serving/room.py", "import sendmeter.cli.serve"),
    (LAYERS, "sendmeter/gate/rules/answers.py", "import sendmeter.mock.app"),
    (LAYERS, "sendmeter/app.py", "import sendmeter.gate.rules"),
    (LAYERS, "sendmeter/contract/document.py", "import sendmeter.gate.changes"),
    (LAYERS, "sendmeter/mock/app.py", "import sendmeter.cli.mock"),
    (PEEWEE, "sendmeter/services/usage.py", "import peewee"),
    (PEEWEE, "sendmeter/settings.py", "import peewee"),
    (PEEWEE, "sendmeter/domain/money.py", "import psycopg"),
    (PEEWEE, "handlers/usage.py", "from playhouse.pool import PooledSqliteDatabase"),
    (LAYERS, "sendmeter/integrations/telnyx.py", "import sendmeter.services.providers"),
    (LAYERS, "sendmeter/integrations/telnyx.py", "import sendmeter.store"),
    (LAYERS, "sendmeter/domain/providers.py", "import sendmeter.integrations.telnyx"),
    (PEEWEE, "sendmeter/integrations/telnyx.py", "import peewee"),
    (OUT, "sendmeter/services/polling.py", "import httpx"),
    (OUT, "sendmeter/integrations/ses.py", "import httpx"),
    (OUT, "handlers/providers.py", "import requests"),
    (HTTP, "sendmeter/services/usage.py", "import flask"),
    (HTTP, "sendmeter/store/usage.py", "import http.client"),
    (STORE, "handlers/usage.py", "import sendmeter.store.usage"),
    (STORE, "handlers/usage.py", "import sendmeter.store.tables"),
    (STORE, "handlers/usage.py", "import sendmeter.store.ledger"),
    (STORE, "handlers/providers.py", "import sendmeter.store.messages"),
    (DOMAIN, "sendmeter/domain/money.py", "import orjson"),
    (DOMAIN, "sendmeter/domain/providers.py", "import cryptography"),
    (DOMAIN, "sendmeter/domain/money.py", "import sendmeter.settings"),
    (DOMAIN, "sendmeter/domain/money.py", "import sendmeter.contract"),
]


@pytest.fixture
def copy(tmp_path):
    for folder in ("sendmeter", "handlers"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder):
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, " ".join(done.stdout.split())


def test_each_rule_has_a_violation_planted_here():
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {rule["name"] for rule in rules} == {name for name, _, _ in PLANTED}


def test_the_source_itself_keeps_every_rule(copy):
    status, said = lint(copy)
    assert (status, "0 broken" in said) == (0, True), said


@pytest.mark.parametrize(("rule", "file", "line"), PLANTED)
def test_a_planted_violation_is_caught_and_the_broken_rule_named(copy, rule, file, line):
    with (copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    status, said = lint(copy)
    assert status == 1, said
    assert f"{rule} BROKEN" in said
