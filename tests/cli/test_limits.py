"""`sendmeter limits`: caps as they stand, changed one by one."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.events import UsageEvent
from sendmeter.domain.instants import instant_text
from sendmeter.services import corrections, events, organizations
from sendmeter.store import Store
from tests.live import Client, run_json, served_process


def limits(run_here, shop, verb, *options, expected=0):
    done = run_here("limits", verb, "--organization", shop["organizationId"], *options)
    assert done.exit_code == expected, done.stderr + done.stdout
    return done


def as_json(run_here, shop, verb, *options):
    return json.loads(limits(run_here, shop, verb, *options, "--json").stdout)


def test_caps_that_are_set_count_at_once_in_a_server_that_runs_and_show_how_they_stand(any_shop, tmp_path):
    url, options = any_shop["url"], ("--organization", any_shop["organizationId"])
    with served_process(url, tmp_path) as server:
        client = Client(server.url, any_shop["apiKey"])
        sent = client.record(
            {"id": "1", "channel": "EMAIL", "quantity": 40}, {"id": "2", "channel": "SMS", "cost": 1.5}
        )
        assert sent.status_code == 200
        caps = ("--message-cap", "50", "--budget-cap", "2.000000001", "--channel-cap", "EMAIL=45")
        after = run_json("limits", "set", *options, *caps, database_url=url)
        hold = {"id": "h", "channel": "EMAIL", "quantity": 4}
        assert client.request("POST", "/organization/usage/holds", json=hold).status_code == 201
        refused = client.request("POST", "/organization/usage/holds", json=hold | {"id": "h2"})
        assert refused.status_code == 402
        assert "The cap of 45 on EMAIL has no room for 4 more" in refused.json()["error"]["message"]
        client.close()
    shown = run_json("limits", "show", *options, database_url=url)
    assert shown["standings"] == [
        {"cap": "messageCap", "limit": 50, "used": 40, "held": 4, "remaining": 6},
        {"cap": "budgetCap", "limit": "2.000000001", "used": "1.5", "held": "0", "remaining": "0.500000001"},
        {"cap": "EMAIL", "limit": 45, "used": 40, "held": 4, "remaining": 1},
    ]
    assert [standing["held"] for standing in after["standings"]] == [0, "0", 0]
    assert (shown["messageCap"], shown["budgetCap"], shown["channelCaps"]) == (50, "2.000000001", {"EMAIL": 45})


def test_only_what_is_named_changes_and_none_takes_a_cap_away(shop, run_here):
    def set_to(*options):
        value = as_json(run_here, shop, "set", *options)
        return {name: value.get(name) for name in ("messageCap", "budgetCap", "channelCaps", "enforcement")}

    every = ("--message-cap", "0", "--budget-cap", "9.5", "--channel-cap", "SMS=5", "--channel-cap", "CALL=6")
    caps = {"messageCap": 0, "budgetCap": "9.5", "channelCaps": {"SMS": 5, "CALL": 6}, "enforcement": "block"}
    assert set_to(*every) == caps
    assert set_to("--enforcement", "lock") == caps | {"enforcement": "lock"}
    caps["enforcement"] = "lock"
    assert set_to("--channel-cap", "SMS=none", "--channel-cap", "PUSH=0") == caps | {
        "channelCaps": {"CALL": 6, "PUSH": 0}
    }
    assert set_to("--channel-cap", "CALL=none", "--channel-cap", "PUSH=none", "--message-cap", "none") == caps | {
        "channelCaps": None,
        "messageCap": None,
    }
    assert set_to("--budget-cap", "none", "--channel-cap", "SLACK=none")["budgetCap"] is None
    assert "There are no caps." in limits(run_here, shop, "show").stdout


def test_the_text_shows_each_cap_with_what_is_used_held_and_remaining(shop, run_here):
    set_text = limits(run_here, shop, "set", "--message-cap", "1000", "--budget-cap", "0.0000001").stdout
    shown = limits(run_here, shop, "show").stdout
    assert set_text == shown
    cycle = as_json(run_here, shop, "show")
    first, enforcement, heading, *rows = shown.splitlines()
    assert first == f"The running cycle: {cycle['billingCycleStart']} to {cycle['billingCycleEnd']}."
    assert enforcement == "Enforcement: block."
    assert heading.split() == ["cap", "limit", "used", "held", "remaining"]
    assert [row.split() for row in rows] == [
        ["messageCap", "1000", "0", "0", "1000"],
        ["budgetCap", "0.0000001", "USD", "0", "USD", "0", "USD", "0.0000001", "USD"],
    ]
    assert len({len(row) for row in (heading, *rows)}) == 1, "the columns are not aligned"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Name what to set: --message-cap, --budget-cap, --channel-cap or --enforcement."),
        (["--message-cap", "-1"], "--message-cap"),
        (["--message-cap", "9007199254740992"], "--message-cap"),
        (["--message-cap", "all"], "--message-cap"),
        (["--budget-cap", "nothing"], "is not an amount of USD"),
        (["--budget-cap", "1e3"], "is not an amount of USD"),
        (["--channel-cap", "FAX=1"], "'FAX' is not one of EMAIL, INAPP_WEB"),
        (["--channel-cap", "SMS"], "Write it like SMS=5000 or SMS=none."),
        (["--channel-cap", "SMS=-1"], "Write it like SMS=5000 or SMS=none."),
        (["--channel-cap", "SMS=1.5"], "Write it like SMS=5000 or SMS=none."),
        (["--channel-cap", "SMS=1", "--channel-cap", "SMS=none"], "Name each channel once."),
        (["--enforcement", "shout"], "'observe'"),
    ],
)
def test_a_wrong_cap_is_refused_with_what_to_write_and_changes_nothing(options, said, shop, run_here):
    before = as_json(run_here, shop, "show")
    done = limits(run_here, shop, "set", *options, expected=2)
    assert said in " ".join(done.stderr.split())
    assert as_json(run_here, shop, "show") == before


@pytest.mark.parametrize("verb", [("show",), ("set", "--message-cap", "1")])
def test_an_unknown_organization_is_refused(verb, shop, run_here):
    done = limits(run_here, {"organizationId": "org_nobody"}, *verb, expected=1)
    assert "sendmeter organizations list" in done.stderr


def test_what_an_earlier_cycle_got_back_has_a_column_of_its_own_if_there_is_any(shop, run_here):
    limits(run_here, shop, "set", "--message-cap", "50", "--channel-cap", "PUSH=5")
    now = datetime.now(UTC)
    with closing(Store(shop["url"])) as store:
        number = organizations.get(store, shop["organizationId"]).number
        sent = {"id": "old", "channel": "EMAIL", "quantity": 30, "occurredAt": instant_text(now - timedelta(days=100))}
        batch = [("", UsageEvent.from_json(sent))]
        events.record(store, number, batch, now, backfilled_by="test")
        corrections.void(store, number, ("api", "old"), "twice", now, by="test")
    heading, *rows = (line.split() for line in limits(run_here, shop, "show").stdout.splitlines()[-3:])
    assert heading == ["cap", "limit", "used", "returned", "held", "remaining"]
    assert rows == [["messageCap", "50", "-30", "30", "0", "50"], ["PUSH", "5", "0", "0", "0", "5"]]
