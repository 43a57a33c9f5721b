"""`sendmeter contract lint`: 0 for a sound contract; 1 naming each place that is not, 2 for what is none."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sendmeter.cli import main
from sendmeter.contract import contract
from sendmeter.contract.reading import parse
from tests.live import ROOT, run_cli

WRITTEN = (ROOT / "openapi.yaml").read_text()
UNBOUNDED = WRITTEN.replace("      maximum: 1000000\n      default: 1\n", "      default: 1\n")


@pytest.fixture
def lint(run_here, tmp_path):
    """Lint a contract, given as text or bytes."""

    def lint(written, *options):
        path = tmp_path / "contract.yaml"
        path.write_bytes(written if isinstance(written, bytes) else written.encode())
        return run_here("contract", "lint", "contract.yaml", *options)

    return lint


def test_the_contract_of_the_installation_is_refused_or_not_named(tmp_path):
    said = run_cli("contract", "lint", cwd=tmp_path)
    (line,) = said.stdout.splitlines()
    assert line.startswith(f"{contract().path} is OpenAPI 3.0.")
    assert line.endswith(f" in {len(contract().operations)} operations.")
    assert said.stderr == ""


def test_every_place_that_breaks_a_rule_is_named(lint):
    broken = UNBOUNDED.replace("[usage]", "[usages]")
    said = lint(broken)
    assert said.exit_code == 1
    lines = said.stdout.splitlines()
    assert lines[0] == "contract.yaml breaks 2 rules:"
    assert (
        "Texts have a length, numbers two bounds, arrays and objects a size: nothing is stored that was not meant."
        in lines
    )
    assert "  #/components/schemas/Quantity: is a number without bounds: give it a minimum and a maximum" in lines
    named = [line for line in lines if "has the tag usages, which is not told of: add it to #/tags" in line]
    assert [line.partition(": ")[0] for line in named] == [
        "  GET /organization/usage",
        "  GET /organization/usage/history",
    ]


def test_json_has_what_is_printed(lint):
    sound, broken = lint(WRITTEN, "--json"), lint(UNBOUNDED, "--json")
    assert json.loads(sound.stdout) == {"file": "contract.yaml", "violations": []}
    found = json.loads(broken.stdout)["violations"]
    assert (sound.exit_code, broken.exit_code) == (0, 1)
    assert "#/components/schemas/Quantity" in [violation["where"] for violation in found]
    assert all(violation.keys() == {"rule", "where", "what"} for violation in found)


def test_a_contract_may_be_ahead_of_the_code(lint):
    assert lint(WRITTEN.replace("operationId: health.live", "operationId: health.alive")).exit_code == 0


UNREADABLE = {
    "no file": (None, "No such file or directory. Name the file of a contract."),
    "an empty file": ("", "is empty. Begin it with `openapi: 3.0.3`."),
    "only a comment": ("# to do\n", "is empty."),
    "a list": ("- openapi\n", "is not a contract, but a list."),
    "a text": ("openapi 3.0.3\n", "is not a contract, but a text."),
    "no YAML": ("openapi: 3.0.3\npaths: [\n", "is not YAML: line 3, column 1:"),
    "a tab": ("info:\n\ttitle: A\n", "is not YAML: line 2, column 1:"),
    "a name twice": ("info: {}\npaths: {}\ninfo: {}\n", "line 3, column 1: 'info' is there twice."),
    "no UTF-8": ("info: café\n".encode("latin-1"), "is not UTF-8 (byte 10). Save it as UTF-8."),
    "an object within itself": ("info: &a {b: *a}\n", "line 1, column 14: *a is not there, or is within itself."),
    "no number": ("info: .nan\n", "has what JSON has not:"),
    "a number that is too large": ("info: 1e999\n", "has what JSON has not:"),
    "a depth of 300": ("[" * 300 + "]" * 300, "contract.yaml is nested too deep: 100 levels are enough."),
    "a depth of 100,000": ("[" * 100_000, "is nested too deep"),
    "a depth of 100,000, in YAML": ("- " * 100_000, "is nested too deep"),
    "a depth of 100,000, in JSON": ('{"a":' * 100_000 + "1" + "}" * 100_000, "is nested too deep"),
    "a name twice, in JSON": ('{"info": {"a": 1, "a": 2}}', "'a' is there twice"),
    "half a character, in JSON": ('{"info": "\\ud800"}', "has what JSON has not:"),
    "aliases without end": (
        "a: &a [1]\n" + "".join(f"{one}: &{one} [*{', *'.join([chr(ord(one) - 1)] * 9)}]\n" for one in "bcdefghi"),
        "with its aliases written out it has more than 1,000,000 values",
    ),
    "two contracts": ("openapi: 3.0.3\n---\nopenapi: 3.0.3\n", "another document begins"),
    "a tag": ("info: !!binary aGk=\n", "line 1, column 7: the tag tag:yaml.org,2002:binary is not of JSON"),
}
BROKEN = {
    "no version": ("paths: {}\n", "#/openapi: is missing; write `openapi: 3.0.3`"),
    "OpenAPI 3.1": ("openapi: 3.1.0\n", "#/openapi: is '3.1.0'; write `openapi: 3.0.3`"),
    "Swagger 2": ("swagger: '2.0'\n", "#/openapi: is missing; write `openapi: 3.0.3`"),
    "no paths": ("openapi: 3.0.3\ninfo: {title: A, version: '1'}\n", '#: "paths" is a required property'),
    "a misspelt keyword": (WRITTEN.replace("maxLength: 67", "maxlength: 67"), "'maxlength' was unexpected"),
    "a misspelt type": (
        WRITTEN.replace("    Quantity:\n      type: integer", "    Quantity:\n      type: int"),
        '#/components/schemas/Quantity/type: "int" is not one of',
    ),
    "a reference to nothing": (
        WRITTEN.replace("#/components/responses/BadGateway", "#/components/responses/BadGatway"),
        "refers to #/components/responses/BadGatway, which is not there",
    ),
    "a reference to a file": (
        WRITTEN.replace("'#/components/schemas/Health'", "'health.yaml#/Health'"),
        "refers to 'health.yaml#/Health'; it must be #/components/schemas/NAME",
    ),
    "nothing but what OpenAPI wants": (
        "openapi: 3.0.3\ninfo: {title: A, version: '1'}\npaths: {}\n",
        "#/servers: has no relative URL: write `- url: /`",
    ),
}


@pytest.mark.parametrize(("written", "expected"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_contract_is_reported_in_these_words(written, expected, lint, run_here):
    said = run_here("contract", "lint", "nothing.yaml") if written is None else lint(written)
    assert said.exit_code == 2
    assert said.stdout == ""
    assert expected in said.stderr
    assert said.stderr.startswith("Error: ")
    assert isinstance(said.exception, SystemExit)


def test_json_reports_what_cannot_be_read(lint, run_here):
    for said in (lint("- openapi\n", "--json"), run_here("contract", "diff", "contract.yaml", "a.yaml", "--json")):
        assert (said.exit_code, said.stderr) == (2, "")
        assert "contract.yaml is not a contract, but a list." in json.loads(said.stdout)["error"]


@pytest.mark.parametrize(("written", "expected"), [(WRITTEN, "is OpenAPI 3.0."), (UNBOUNDED, "breaks 1 rule:")])
def test_standard_input_can_be_linted(written, expected):
    said = CliRunner().invoke(main, ["contract", "lint", "-"], input=written).stdout
    assert said.startswith(f"Standard input {expected}")


def test_the_contract_as_it_is_served_can_be_linted(lint):
    assert lint(contract().json_bytes).exit_code == 0


def test_yaml_is_read_as_its_first_version_had_it():
    written = "{a: 12:30, b: 1_000, c: 017, d: 1e-09, e: 1e3, f: no, g: 0x1F, h: 2026-01-01, i: '1', j: !!str 1, k: ~}"
    assert parse(written.encode(), "a.yaml") == {
        "a": "12:30",
        "b": "1_000",
        "c": 17,
        "d": 1e-9,
        "e": 1000,
        "f": "no",
        "g": 31,
        "h": "2026-01-01",
        "i": "1",
        "j": "1",
        "k": None,
    }
    assert parse(b"a: &one {b: &two [1]}\nc: *one\nd: *two\n", "a.yaml") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": [1]}


def test_a_rule_that_crashes_is_not_reported_as_broken(lint, run_here, monkeypatch):
    def fails(_document, _functions=None):
        raise KeyError("surprise")

    monkeypatch.setattr("sendmeter.cli.contract.violations", fails)
    monkeypatch.setattr("sendmeter.cli.contract.changes", fails)
    for said in (lint(WRITTEN), run_here("contract", "diff", "contract.yaml", "contract.yaml")):
        assert said.exit_code == 2
        assert said.stderr.startswith("Error: contract.yaml cannot be judged: KeyError('surprise').")


def test_the_help_is_readable(run_here):
    said = run_here("contract", "diff", "--help").stdout
    assert "\\b" not in said
    assert "\n  git show main:openapi.yaml | sendmeter contract diff - openapi.yaml\n" in said


@pytest.mark.parametrize(("written", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_contract_is_reported_in_these_words(written, expected, lint):
    said = lint(written)
    assert said.exit_code == 1
    assert expected in said.stdout
    assert isinstance(said.exception, SystemExit)


def test_a_folder_is_not_linted(run_here):
    said = run_here("contract", "lint", ".")
    assert (said.exit_code, "Is a directory" in said.stderr) == (2, True)


def test_other_commands_do_not_wait_for_the_validator():
    imported = "import sys, sendmeter.cli; print('openapi_spec_validator' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
