"""`sendmeter audit`: every change that the command line makes is told, newest first, with who made it."""

import getpass
import json

import pytest

from tests.live import run_cli, run_json


def test_each_change_is_told_newest_first_with_who_made_it(any_shop):
    url, organization = any_shop["url"], any_shop["organizationId"]
    run_cli("organizations", "change", organization, "--name", "Kiosk", database_url=url)
    run_cli("limits", "set", "--organization", organization, "--budget-cap", "0.0000001", database_url=url)
    log = run_json("audit", "--organization", organization, database_url=url)
    *changes, _, _ = [entry["action"] for entry in log]
    assert changes == ["limits.changed", "organization.changed"]
    # Both are of the same instant.
    assert {entry["action"] for entry in log[2:]} == {"key.created", "organization.created"}
    assert {entry["by"] for entry in log} == {f"cli:{getpass.getuser()}"}
    assert [entry["recordedAt"] for entry in log] == sorted((entry["recordedAt"] for entry in log), reverse=True)
    assert log[0]["details"]["after"]["budgetCap"] == "0.0000001"
    renamed = log[1]["details"]
    assert (renamed["before"]["name"], renamed["after"]["name"]) == ("Shop", "Kiosk")


def test_the_limit_cuts_off_the_oldest_and_the_text_has_a_line_for_each(shop, run_here):
    for name in ("Zoë", "Kiosk"):
        run_here("organizations", "change", shop["organizationId"], "--name", name)
    command = ("audit", "--organization", shop["organizationId"], "--limit", "2")
    newest, before = json.loads(run_here(*command, "--json").stdout)
    assert newest["details"]["after"]["name"] == "Kiosk"
    lines = run_here(*command).stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [entry["recordedAt"], entry["by"], "organization.changed"] for entry in (newest, before)
    ]
    assert "Zoë" in lines[1]


def test_a_change_that_changes_nothing_is_not_told(shop, run_here):
    before = run_here("audit", "--organization", shop["organizationId"], "--json").stdout
    run_here("organizations", "change", shop["organizationId"], "--name", "Shop")
    run_here("limits", "set", "--organization", shop["organizationId"], "--message-cap", "none")
    assert run_here("audit", "--organization", shop["organizationId"], "--json").stdout == before


def test_another_organizations_changes_are_not_told(shop, run_here):
    run_here("organizations", "create", "--name", "Other")
    log = json.loads(run_here("audit", "--organization", shop["organizationId"], "--json").stdout)
    assert len(log) == 2


@pytest.mark.parametrize(
    ("options", "code"), [(["--limit", "0"], 2), (["--limit", "10001"], 2), (["--organization", "org_nobody"], 1)]
)
def test_a_wrong_option_is_refused(options, code, shop, run_here):
    done = run_here("audit", "--organization", shop["organizationId"], *options)
    assert done.exit_code == code
    assert done.stdout == ""
