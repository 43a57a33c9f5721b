"""`sendmeter organizations`: an operator makes organizations, and reads them back."""

import httpx
import pytest

from tests.live import run_cli, run_json, served_process

FIELDS = {
    "name": "Zoë's Vögel 🐦",
    "anchorDay": 31,
    "timezone": "Asia/Kathmandu",
    "startsAt": "2026-01-15T00:00:00Z",
    "messageCap": 5000,
    "budgetCap": "99.95",
    "enforcement": "lock",
}


def test_an_organization_is_listed_with_every_option_that_it_was_made_with(database_url):
    made = run_json(
        "organizations", "create", "--name", f"  {FIELDS['name']} ", "--anchor-day", "31",
        "--timezone", "Asia/Kathmandu", "--message-cap", "5000", "--budget-cap", "99.950", "--enforcement", "lock",
        "--starts-at", "2026-01-15", database_url=database_url,
    )  # fmt: skip
    assert FIELDS.items() <= made.items()
    assert made["organizationId"].startswith("org_")
    assert made["accountId"].startswith("acc_")
    assert made["apiKey"].startswith("sendmeter_sk_")
    kept = {name: value for name, value in made.items() if name not in ("apiKey", "accountId")}
    assert run_json("organizations", "list", database_url=database_url) == [kept]


def test_the_first_key_of_an_organization_works_and_its_cycle_starts_on_the_anchor_day(database_url, tmp_path):
    told = run_cli(
        "organizations", "create", "--name", "A", "--anchor-day", "15", "--timezone", "America/New_York",
        database_url=database_url,
    ).stdout  # fmt: skip
    token = next(word for word in told.split() if word.startswith("sendmeter_sk_"))
    with served_process(database_url, tmp_path) as server:
        usage = httpx.get(f"{server.url}/organization/usage", headers={"authorization": f"Bearer {token}"})
    assert usage.status_code == 200
    assert usage.json()["billingCycleStart"][7:].startswith(("-15T04:00:00", "-15T05:00:00"))
    listed = run_cli("organizations", "list", database_url=database_url).stdout
    assert listed.split() == [told.split()[2], "day", "15", "America/New_York", "A"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--timezone", "Europe/Berln"], "Did you mean Europe/Berlin"),
        (["--timezone", "berlin"], "Did you mean Europe/Berlin"),
        (["--timezone", "../../etc/passwd"], "Write it like Europe/Berlin"),
        (["--anchor-day", "32"], "1<=x<=31"),
        (["--message-cap", "-1"], "'--message-cap'"),
        (["--budget-cap", "-0.01"], "is not an amount of USD like 250 or 99.95"),
        (["--budget-cap", "1.0000000001"], "is not an amount of USD"),
        (["--budget-cap", "NaN"], "is not an amount of USD"),
        (["--starts-at", "2026-02-30"], "is not a date of the calendar. Write it like 2026-12-31"),
        (["--enforcement", "never"], "'observe', 'block', 'lock'"),
        (["--name", "bell\a"], "Write 1 to 200 printable characters"),
        (["--name", " "], "Write 1 to 200 printable characters"),
    ],
)
def test_a_wrong_option_is_refused_saying_what_to_write_and_makes_nothing(run_here, arguments, told):
    done = run_here("organizations", "create", "--name", "A", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert run_here("organizations", "list").stdout == ""


def test_a_wrong_option_ends_a_real_process_with_2_and_leaves_no_database_behind(tmp_path):
    done = run_cli("organizations", "create", "--name", "A", "--timezone", "Europe/Berln", cwd=tmp_path, expected=2)
    assert "Did you mean Europe/Berlin" in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_quotes_and_sql_in_it_is_only_a_name(run_here):
    name = "Robert'); DROP TABLE organizations;-- % ?"
    run_here("organizations", "create", "--name", name)
    assert name in run_here("organizations", "list").stdout


def test_without_organizations_the_list_says_how_to_make_one_and_its_json_is_empty(run_here):
    assert "sendmeter organizations create --name" in run_here("organizations", "list").stderr
    assert run_here("organizations", "list", "--json").stdout == "[]\n"


def test_an_organization_that_starts_in_the_far_future_is_refused_since_it_would_refuse_every_event(run_here):
    done = run_here("organizations", "create", "--name", "A", "--starts-at", "9999-01-01")
    assert done.exit_code == 2, done.stdout
