"""A database that is not there is a mistake to all but the commands that make one."""

import click
import pytest

from sendmeter.cli import main
from tests.live import SECRETS_KEY, run_cli

COMMANDS = [
    ("verify",),
    ("audit", "--organization", "org_1"),
    ("keys", "list"),
    ("keys", "create", "--organization", "org_1", "--name", "key"),
    ("limits", "show", "--organization", "org_1"),
    ("organizations", "show", "org_1"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_a_mistyped_database_is_refused_and_not_made(command, run_here, tmp_path):
    told = run_here(*command, "--database", "typo.db")
    assert told.exit_code == 1
    assert "There is no database" in told.stderr
    assert "--database" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_is_told_with_its_cause_and_without_its_password(tmp_path):
    url = "postgresql://somebody:secret@127.0.0.1:9/none"
    told = run_cli("verify", "--database", url, cwd=tmp_path, expected=3).stderr
    assert "The database does not answer." in told
    assert "refused" in told
    assert "secret" not in told
    assert "attempt" not in told


ORGANIZATION = ("--organization", "org_1")
OPENING = [
    ("serve",),
    ("demo",),
    ("organizations", "create", "--name", "New"),
    ("organizations", "list"),
    ("organizations", "show", "org_1"),
    ("organizations", "change", "org_1", "--name", "New"),
    ("limits", "show", *ORGANIZATION),
    ("limits", "set", *ORGANIZATION, "--message-cap", "1"),
    ("keys", "create", *ORGANIZATION, "--name", "key"),
    ("keys", "list"),
    ("keys", "revoke", "key_1"),
    ("providers", "add", "ses", *ORGANIZATION, "--topic-arn", "arn:aws:sns:eu-west-1:123456789012:topic"),
    ("providers", "add", "telnyx", *ORGANIZATION, "--public-key", f"{'A' * 43}="),
    ("providers", "add", "twilio", *ORGANIZATION, "--account-sid", f"AC{'0' * 32}", "--auth-token", "0" * 32),
    ("providers", "remove", "ses", *ORGANIZATION),
    ("providers", "reseal"),
    ("providers", "status", *ORGANIZATION),
    ("import", "events.ndjson", *ORGANIZATION),
    ("verify",),
    ("audit", *ORGANIZATION),
    ("backup", "copy.db"),
    ("db", "upgrade"),
]


def commands_of(group, path=()):
    """List the commands that open a database, each as its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_of(command, (*path, name))
        elif any("--database" in option.opts for option in command.params):
            yield (*path, name)


def test_every_command_that_opens_a_database_is_among_those_that_are_tried_without_one():
    tried = {command[:length] for command in OPENING for length in (1, 2, 3)}
    assert set(commands_of(main)) <= tried


@pytest.mark.parametrize("command", OPENING, ids=lambda command: " ".join(command[:3]))
def test_a_command_exits_3_when_the_database_does_not_answer(command, run_here, tmp_path, monkeypatch):
    monkeypatch.setenv("SENDMETER_BUSY_TIMEOUT_SECONDS", "1")
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "events.ndjson").touch()
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", SECRETS_KEY)
    # A backup is of SQLite only, and says so.
    urls = ["folder.db", *([] if command[0] == "backup" else ["postgresql://somebody:secret@127.0.0.1:9/none"])]
    for url in urls:
        done = run_here(*command, "--database", url)
        assert done.exit_code == 3, done.output
        assert "The database" in done.stderr
        assert "secret" not in done.stderr
