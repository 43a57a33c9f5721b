"""A database that is not there is a mistake to all but the commands that make one."""

import pytest

from tests.live import run_cli

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
    told = run_cli("verify", "--database", url, cwd=tmp_path, expected=1).stderr
    assert "The database does not answer." in told
    assert "refused" in told
    assert "secret" not in told
    assert "attempt" not in told
