"""Help: whoever knows `sendmeter --help` finds every command and what each option does."""

import re
import subprocess
import sys

import click
import pytest

from sendmeter import __version__
from sendmeter.cli import main
from tests.live import run_cli


def commands(group=main, path=()):
    """Every command and group below a group, with the words that call it."""
    yield path, group
    for name in group.list_commands(None) if isinstance(group, click.Group) else ():
        yield from commands(group.get_command(None, name), (*path, name))


ALL = dict(commands())
assert len(ALL) > 30


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(path) or "sendmeter")
def test_help_says_what_a_command_and_each_of_its_options_does(path, run_here):
    told = run_here(*path, "--help")
    assert told.exit_code == 0
    assert told.stderr == ""
    command = ALL[path]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.opts[0]} has no help text"
            assert parameter.opts[0] in told.stdout
        else:
            assert parameter.human_readable_name in command.help
    for name in getattr(command, "commands", {}):
        assert re.search(rf"^ {{2}}{name} +[A-Z].*\.$", told.stdout, re.MULTILINE), "a summary that is cut off"
    assert max(len(line) for line in told.stdout.splitlines()) <= 100


def test_help_is_shown_by_a_real_process_for_groups_and_commands(tmp_path):
    assert "sendmeter demo --serve" in run_cli("--help", cwd=tmp_path).stdout
    assert "Make an API key" in run_cli("keys", "create", "-h", cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_the_version_is_the_packages(tmp_path):
    assert run_cli("--version", cwd=tmp_path).stdout == f"sendmeter, version {__version__}\n"


@pytest.mark.parametrize("arguments", [["srve"], ["keys", "remove"], ["serve", "--prt", "1"]])
def test_a_word_that_is_none_is_refused_with_where_to_look(arguments, run_here):
    told = run_here(*arguments)
    assert told.exit_code == 2
    assert "--help" in told.stderr


def test_every_command_that_answers_can_answer_in_json():
    without = {path for path, command in ALL.items() if not any("--json" in each.opts for each in command.params)}
    groups = {path for path, command in ALL.items() if isinstance(command, click.Group)}
    assert without - groups == {("serve",), ("demo",), ("mock",)}


def test_no_command_waits_for_what_only_another_needs():
    heavy = {"connexion", "openapi_spec_validator", "flask", "httpx", "cryptography"}
    code = f"import sys, sendmeter.cli; print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_each_command_has_the_name_that_it_is_called_by():
    assert {path: command.name for path, command in ALL.items() if path and command.name != path[-1]} == {}
