"""`sendmeter organizations`: made with what was asked for, listed, refused where an option is wrong."""

import re
import sqlite3
from datetime import UTC, datetime

import pytest

from tests.live import run_cli, run_json


def test_an_organization_has_what_was_asked_for_and_is_listed_on_every_database(database_url):
    made = run_json(
        *("organizations", "create", "--name", "  Zoë & Söhne  ", "--anchor-day", "31", "--timezone", "Asia/Kathmandu"),
        *(
            "--message-cap",
            "1000",
            "--budget-cap",
            "99.950000001",
            "--enforcement",
            "lock",
            "--starts-at",
            "2026-01-02",
        ),
        database_url=database_url,
    )
    assert re.fullmatch(r"org_[0-9a-v]{26}", made["organizationId"])
    assert re.fullmatch(r"acc_[0-9a-v]{26}", made["accountId"])
    assert re.fullmatch(r"sendmeter_sk_[A-Za-z0-9_-]{54}", made["apiKey"])
    asked = {
        "name": "Zoë & Söhne",
        "anchorDay": 31,
        "timezone": "Asia/Kathmandu",
        "messageCap": 1000,
        "budgetCap": "99.950000001",
        "enforcement": "lock",
        "startsAt": "2026-01-02T00:00:00Z",
    }
    assert asked.items() <= made.items()
    second = run_json("organizations", "create", "--name", "Plain", database_url=database_url)
    defaults = {"anchorDay": 1, "timezone": "UTC", "messageCap": None, "budgetCap": None, "enforcement": "block"}
    assert defaults.items() <= second.items()
    assert second["startsAt"] == datetime.now(UTC).strftime("%Y-%m-01T00:00:00Z")
    listed = run_json("organizations", "list", database_url=database_url)
    shown_once = ("accountId", "apiKey")
    assert listed == [
        {name: value for name, value in each.items() if name not in shown_once} for each in (made, second)
    ]
    told = run_cli("organizations", "list", database_url=database_url).stdout
    assert [line.split()[0] for line in told.splitlines()] == [made["organizationId"], second["organizationId"]]


def test_the_first_key_is_told_to_people_once_and_kept_nowhere(tmp_path):
    told = run_cli("organizations", "create", "--name", "Shop", cwd=tmp_path)
    assert told.stderr == ""
    token = re.search(r"^ {2}(sendmeter_sk_\S+)$", told.stdout, re.MULTILINE)[1]
    assert "shown this once" in told.stdout
    for file in tmp_path.iterdir():
        assert token.encode() not in file.read_bytes()
    assert token not in run_cli("keys", "list", "--json", cwd=tmp_path).stdout


def test_nothing_but_a_hint_is_said_where_there_are_no_organizations(tmp_path):
    told = run_cli("organizations", "list", cwd=tmp_path)
    assert told.stdout == ""
    assert "sendmeter organizations create" in told.stderr
    assert run_json("organizations", "list", cwd=tmp_path) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timezone", "Europe/Berln"], "Did you mean Europe/Berlin"),
        (["--timezone", "america/new_york"], "Did you mean America/New_York"),
        (["--timezone", "#!"], "Write it like Europe/Berlin"),
        (["--timezone", "../../etc/passwd"], "is no IANA time zone"),
        (["--anchor-day", "0"], "--anchor-day"),
        (["--anchor-day", "32"], "--anchor-day"),
        (["--message-cap", "-1"], "--message-cap"),
        (["--budget-cap", "-0.01"], "is not an amount of USD"),
        (["--budget-cap", "0.0000000001"], "is not an amount of USD"),
        (["--budget-cap", "NaN"], "is not an amount of USD"),
        (["--budget-cap", "1e99"], "is not an amount of USD"),
        (["--enforcement", "shout"], "'observe'"),
        (["--starts-at", "2026-02-30"], "is not a date of the calendar"),
        (["--starts-at", "90d"], "is not an RFC 3339 instant"),
        (["--starts-at", "9999-01-01"], "'--starts-at': 9999-01-01T00:00:00Z is in the future."),
        (["--starts-at", "1999-12-31"], "'--starts-at': 1999-12-31T00:00:00Z is before 2000-01-01T00:00:00Z."),
        (["--channel-cap", "FAX=1"], "'FAX' is not one of EMAIL, INAPP_WEB"),
        (["--channel-cap", "sms=1"], "Write it like SMS=5000."),
        (["--channel-cap", "SMS=none"], "Write it like SMS=5000."),
        (["--channel-cap", "SMS=1", "--channel-cap", "SMS=1"], "Name each channel once."),
        (["--starts-at", "2026-01-01T00:00:00"], "is not an RFC 3339 instant"),
        (["--name", ""], "--name"),
        (["--name", "   "], "--name"),
        (["--name", "a\nb"], "printable characters"),
        (["--name", "\x1b[31mred"], "printable characters"),
        (["--name", "turn\u202earound"], "printable characters"),
        (["--name", "x" * 201], "1 to 200"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write_and_makes_no_database(options, said, run_here, tmp_path):
    told = run_here("organizations", "create", "--name", "Shop", *options)
    assert told.exit_code == 2, told.stdout
    assert said in " ".join(told.stderr.split())
    assert told.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_option_ends_a_real_process_with_2_and_leaves_no_database_behind(tmp_path):
    told = run_cli("organizations", "create", "--timezone", "Europe/Berln", cwd=tmp_path, expected=2)
    assert "--timezone" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_database_option_wins_over_the_variable(tmp_path):
    options = ("--name", "Shop", "--database", "named.db")
    run_cli("organizations", "create", *options, cwd=tmp_path, database_url="sqlite:///other.db")
    assert {file.name for file in tmp_path.iterdir()} == {"named.db"}
    with sqlite3.connect(tmp_path / "named.db") as database:
        assert database.execute("SELECT name FROM organizations").fetchall() == [("Shop",)]
    database.close()
