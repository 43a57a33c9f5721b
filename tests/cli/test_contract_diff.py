"""`sendmeter contract diff`: 0 where a client goes on, 1 where one breaks, 2 where there is nothing to compare."""

import json
import os
import subprocess

import pytest

from tests.live import ROOT, run_cli

WRITTEN = (ROOT / "openapi.yaml").read_text()
STRICTER = WRITTEN.replace("      maximum: 1000000\n      default: 1\n", "      maximum: 1000\n      default: 1\n")
LONGER = WRITTEN.replace("  - url: /account\n", "  - url: /other\n  - url: /account\n")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "old.yaml").write_text(WRITTEN)
    (tmp_path / "new.yaml").write_text(STRICTER)
    return tmp_path


def test_a_change_that_breaks_senders_is_distinguished_from_one_that_does_not(files):
    said = run_cli("contract", "diff", "old.yaml", "new.yaml", cwd=files, expected=1)
    assert said.stdout.splitlines() == [
        "Breaks clients (1):",
        "  Quantity: maximum 1000000 → 1000: refuses what was taken before  [events.record, holds.place]",
        "Compatible (1):",
        "  Quantity: maximum 1000000 → 1000: answers no more than before  [events.search, events.get, events.void, "
        "events.settle, holds.place, holds.get, holds.settle, holds.release]",
    ]


def test_json_has_every_change_and_the_exit_code_is_the_same(files):
    breaks, fine = json.loads(
        run_cli("contract", "diff", "old.yaml", "new.yaml", "--json", cwd=files, expected=1).stdout
    )
    assert breaks == {
        "where": "Quantity",
        "what": "maximum 1000000 → 1000: refuses what was taken before",
        "breaks": True,
        "operations": ["events.record", "holds.place"],
    }
    assert fine["breaks"] is False


def test_a_contract_breaks_what_it_did_before(files):
    assert run_cli("contract", "diff", "old.yaml", "old.yaml", cwd=files).stdout == "Nothing changed for clients.\n"
    assert run_cli("contract", "diff", "old.yaml", "old.yaml", "--json", cwd=files).stdout == "[]\n"


def test_a_compatible_change_succeeds(files):
    (files / "new.yaml").write_text(LONGER)
    said = run_cli("contract", "diff", "old.yaml", "new.yaml", cwd=files)
    assert said.stdout.splitlines()[0] == "Compatible (1):"


def test_standard_input_can_be_one_of_the_two(files):
    arguments = ("contract", "diff", "-", "new.yaml")
    assert "Quantity" in run_cli(*arguments, stdin=WRITTEN, cwd=files, expected=1).stdout
    assert run_cli(*arguments, stdin=STRICTER, cwd=files).stdout == "Nothing changed for clients.\n"
    assert "Quantity" in run_cli("contract", "diff", "old.yaml", "-", stdin=STRICTER, cwd=files, expected=1).stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (("nothing.yaml", "new.yaml"), "", "Cannot read nothing.yaml: No such file or directory."),
        (("-", "new.yaml"), "", "Standard input is empty."),
        (("-", "new.yaml"), "openapi: [", "Standard input is not YAML: line"),
        (("-", "new.yaml"), "openapi: 3.1.0", "Standard input is no sound contract: #/openapi: is '3.1.0'"),
        (("-", "-"), WRITTEN, "Standard input can be OLD or NEW, not both."),
    ],
)
def test_what_cannot_be_compared_is_not_reported_as_a_change(arguments, stdin, expected, files):
    said = run_cli("contract", "diff", *arguments, stdin=stdin, cwd=files, expected=2)
    assert said.stdout == ""
    assert expected in said.stderr
    assert "Traceback" not in said.stderr


def test_a_base_that_does_not_exist_is_reported_in_our_words():
    # What is installed counts as new enough.
    command = ["make", "--silent", "--old-file=.venv/run.stamp", "contract-diff"]
    name = "nope$(echo more)"
    environment = {**os.environ, "BASE": name}
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert said.returncode == 2
    assert said.stdout == f"There is no openapi.yaml in BASE={name}: name a branch, a tag or a commit that has it.\n"
    assert "fatal" not in said.stderr


def test_schemas_that_go_too_deep_are_reported_without_a_traceback(files):
    links = [f"    N{n}: {{items: {{$ref: '#/components/schemas/N{n + 1}'}}}}\n" for n in range(500)]
    deep = WRITTEN.replace("  schemas:\n", f"  schemas:\n{''.join(links)}    N500: {{}}\n", 1)
    (files / "new.yaml").write_text(
        deep.replace("{$ref: '#/components/schemas/Health'}", "{$ref: '#/components/schemas/N0'}")
    )
    said = run_cli("contract", "diff", "new.yaml", "new.yaml", cwd=files, expected=2)
    assert said.stderr == "Error: new.yaml cannot be judged: its schemas go too deep. Write them flatter.\n"
