"""`sendmeter contract lint`: 0 for a sound contract; 1 naming each place that is not, whatever the file is."""

import json
import subprocess
import sys

import pytest

from sendmeter.contract import contract
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


def test_a_place_that_breaks_a_rule_is_left_out(lint):
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


def test_json_differs_from_what_is_printed(lint):
    sound, broken = lint(WRITTEN, "--json"), lint(UNBOUNDED, "--json")
    assert json.loads(sound.stdout) == {"file": "contract.yaml", "violations": []}
    found = json.loads(broken.stdout)["violations"]
    assert (sound.exit_code, broken.exit_code) == (0, 1)
    assert "#/components/schemas/Quantity" in [violation["where"] for violation in found]
    assert all(violation.keys() == {"rule", "where", "what"} for violation in found)


def test_a_file_may_not_be_ahead_of_the_code(lint):
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
    "an object within itself": ("info: &a {b: *a}\n", "has what JSON has not: Circular reference"),
    "no number": ("info: .nan\n", "has what JSON has not:"),
    "a depth of 2,000": ("[" * 2_000 + "]" * 2_000, "contract.yaml is nested too deep."),
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
def test_a_file_that_is_no_contract_is_told_of_in_other_words(written, expected, lint, run_here):
    said = run_here("contract", "lint", "nothing.yaml") if written is None else lint(written)
    assert said.exit_code == 1
    assert said.stdout == ""
    assert expected in said.stderr
    assert said.stderr.startswith("Error: ")
    assert isinstance(said.exception, SystemExit)


@pytest.mark.parametrize(("written", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_contract_is_told_of_in_other_words(written, expected, lint):
    said = lint(written)
    assert said.exit_code == 1
    assert expected in said.stdout
    assert isinstance(said.exception, SystemExit)


def test_a_folder_is_linted(run_here):
    said = run_here("contract", "lint", ".")
    assert (said.exit_code, "Is a directory" in said.stderr) == (1, True)


def test_other_commands_wait_for_the_validator():
    imported = "import sys, sendmeter.cli; print('openapi_spec_validator' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", imported], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
