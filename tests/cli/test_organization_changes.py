"""`sendmeter organizations show` and `change`: what is named changes, from when it counts, and what is refused."""

import json
from datetime import UTC, datetime

import pytest

from tests.live import run_json


def told(run_here, *arguments, expected=0):
    """Run a command on the shop's database, and give what it prints."""
    done = run_here(*arguments)
    assert done.exit_code == expected, done.stderr + done.stdout
    return done


def changed(run_here, shop, *options):
    return json.loads(told(run_here, "organizations", "change", shop["organizationId"], *options, "--json").stdout)


def without_secrets(made):
    return {name: value for name, value in made.items() if name not in ("accountId", "apiKey", "url")}


def test_show_tells_what_create_told_but_the_secrets(any_shop):
    shown = run_json("organizations", "show", any_shop["organizationId"], database_url=any_shop["url"])
    assert shown == without_secrets(any_shop)
    assert (shown["nextAnchor"], shown["channelCaps"]) == (None, {})


def test_a_changed_anchor_counts_from_the_end_of_the_running_cycle_and_both_are_shown(any_shop):
    url, organization = any_shop["url"], any_shop["organizationId"]
    end = run_json("limits", "show", "--organization", organization, database_url=url)["billingCycleEnd"]
    day = 1 if any_shop["anchorDay"] > 15 else 28
    change = ("organizations", "change", organization, "--anchor-day", str(day), "--timezone", "Asia/Kathmandu")
    after = run_json(*change, database_url=url)
    assert after == without_secrets(any_shop) | {
        "nextAnchor": {"anchorDay": day, "timezone": "Asia/Kathmandu", "startsAt": end}
    }
    assert run_json("organizations", "show", organization, database_url=url) == after
    assert run_json("organizations", "list", database_url=url) == [after]


def test_the_text_says_from_when_another_anchor_counts(shop, run_here):
    organization = shop["organizationId"]
    cycle = json.loads(told(run_here, "limits", "show", "--organization", organization, "--json").stdout)
    options = ("--timezone", "Europe/Berlin", "--name", "  Zoë's  ")
    text = told(run_here, "organizations", "change", organization, *options).stdout
    day = shop["anchorDay"]
    assert f"{organization}  Zoë's\n" in text
    assert f"Billing cycles start on day {day}, UTC.\n" in text
    assert f"From {cycle['billingCycleEnd']} on they start on day {day}, Europe/Berlin.\n" in text
    assert told(run_here, "organizations", "show", organization).stdout == text


def test_changing_the_anchor_back_forgets_the_one_that_was_to_come(shop, run_here):
    assert changed(run_here, shop, "--timezone", "Europe/Berlin")["nextAnchor"]["timezone"] == "Europe/Berlin"
    assert changed(run_here, shop, "--timezone", "UTC") == without_secrets(shop)


def test_what_is_not_named_stays(shop, run_here):
    renamed = changed(run_here, shop, "--name", "Kiosk")
    assert renamed == without_secrets(shop) | {"name": "Kiosk"}
    day = 1 if shop["anchorDay"] > 15 else 28
    assert changed(run_here, shop, "--anchor-day", str(day))["name"] == "Kiosk"
    zoned = changed(run_here, shop, "--timezone", "Asia/Tokyo")
    assert (zoned["nextAnchor"]["anchorDay"], zoned["nextAnchor"]["timezone"]) == (day, "Asia/Tokyo")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Name what to change: --name, --anchor-day or --timezone."),
        (["--name", " "], "1 to 200 printable characters"),
        (["--name", "a\nb"], "printable characters"),
        (["--anchor-day", "32"], "--anchor-day"),
        (["--timezone", "Europe/Berln"], "Did you mean Europe/Berlin"),
        (["--message-cap", "5"], "--message-cap"),
    ],
)
def test_a_wrong_change_is_refused_with_what_to_write_and_changes_nothing(options, said, shop, run_here):
    done = told(run_here, "organizations", "change", shop["organizationId"], *options, expected=2)
    assert said in " ".join(done.stderr.split())
    shown = json.loads(told(run_here, "organizations", "show", shop["organizationId"], "--json").stdout)
    assert shown == without_secrets(shop)


@pytest.mark.parametrize("command", [("show",), ("change", "--name", "Other")])
def test_an_unknown_organization_is_refused_with_how_to_list_them(command, shop, run_here):
    verb, *options = command
    done = told(run_here, "organizations", verb, "org_nobody", *options, expected=1)
    assert "There is no organization 'org_nobody'" in done.stderr
    assert "sendmeter organizations list" in done.stderr


def test_an_organization_is_made_with_caps_on_channels_and_shows_them_in_words(run_here, tmp_path):
    options = ("--name", "Capped", "--channel-cap", "SMS=5000", "--channel-cap", "EMAIL=0", "--message-cap", "9")
    made = json.loads(told(run_here, "organizations", "create", *options, "--budget-cap", "0.0000001", "--json").stdout)
    assert (made["channelCaps"], made["messageCap"], made["budgetCap"]) == ({"SMS": 5000, "EMAIL": 0}, 9, "0.0000001")
    text = told(run_here, "organizations", "show", made["organizationId"]).stdout
    assert "Caps in a cycle: 9 messages, 0.0000001 USD, 5000 SMS, 0 EMAIL. Enforcement: block.\n" in text
    assert f"It counts what was sent since {datetime.now(UTC):%Y-%m}-01T00:00:00Z." in text


def test_an_organization_without_caps_says_so(shop, run_here):
    text = told(run_here, "organizations", "show", shop["organizationId"]).stdout
    assert "It has no caps. Enforcement: block.\n" in text
