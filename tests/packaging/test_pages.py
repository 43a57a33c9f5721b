"""What the commands of README.md and of each guide print is what the page says."""

import json
import re

import pytest

from sendmeter.mock.scenarios import SCENARIOS
from tests.packaging import pages

pytestmark = pytest.mark.long

PAGE = {page.stem: page for page in pages.PAGES}
README, CLIENT, OPERATOR, SENDER, MOCK = (PAGE[name] for name in ("README", "client", "operator", "sender", "mock"))
FUZZING, PROVIDERS = PAGE["fuzzing"], PAGE["providers"]


def answers(printed):
    """Read the JSON values in what was printed, one after the other; words between them are passed over."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while (at := printed.find("{", at)) >= 0:
        value, at = decoder.raw_decode(printed, at)
        values.append(value)
    return values


def answer(printed):
    [value] = answers(printed)
    return value


def test_each_page_is_run_by_a_test():
    assert [page.stem for page in pages.PAGES] == [
        "README",
        "client",
        "fuzzing",
        "mock",
        "operator",
        "providers",
        "sender",
    ]


def test_the_readme_counts_what_it_reports(tmp_path):
    printed = pages.run(README, tmp_path)
    usage = answer(printed["/organization/usage -H"])
    assert (usage["messageUsage"], usage["budgetUsage"]) == (1, 0.0109)
    placed, settled, limits = answers(printed["/holds/campaign-7/settle"])[-3:]
    assert (placed["state"], settled["state"]) == ("held", "settled")
    assert limits["standings"] == [{"cap": "budgetCap", "limit": 100, "used": 10.9109, "held": 0, "remaining": 89.0891}]
    assert "Every counter is what its ledger adds up to (1 organization)." in printed["sendmeter verify"]


def test_the_guide_for_senders_runs_as_it_says(tmp_path):
    printed = pages.run(SENDER, tmp_path)
    conflict = answer(printed['"quantity": 3}'])["error"]
    assert (conflict["code"], "quantity" in conflict["details"][0]["message"]) == ("conflict", True)
    assert answer(printed["$LONG_AGO"])["events"][0]["outcome"] == "late"
    assert answer(printed["mail-2/void"])["state"] == "voided"
    assert answers(printed['"id": "sms-2"'])[1]["pendingCosts"] == 1
    assert answer(printed["sms-2/cost"])["cost"] == 0.0463
    assert "budget cap of 20 USD" in answer(printed['"id": "campaign-8"'])["error"]["message"]
    assert answer(printed["campaign-7/settle"])["event"]["id"] == "campaign-7-sent"
    waiting = answers(printed["campaign-9/settle"])[2]["standings"][0]
    assert (waiting["used"], waiting["held"]) == (12.4322, 3.75)
    assert [hold["state"] for hold in answers(printed["newsletter-3/release"])] == ["held", "released"]
    held, expired, settled = answers(printed["otp-1/settle"])
    assert (held["state"], expired["state"], settled["settledAfterExpiry"]) == ("held", "expired", True)
    assert answers(printed["cloudevents+json"])[1]["quantity"] == 50
    usage = answer(printed.below("All of this page"))
    assert (usage["messageUsage"], usage["channelUsages"]["SMS"], usage["budgetUsage"]) == (51, 1293, 15.9447)


def test_the_guide_for_client_developers_shows_the_reported_numbers(tmp_path):
    printed = pages.run(CLIENT, tmp_path)
    assert "/organization/usage/history" in printed["openapi.json"].splitlines()
    usage = answer(printed["/account/organization/usage"])
    assert (usage["messageUsage"], usage["budgetUsage"]) == (28615, 37.347200001)
    month, cycle, day = (each["items"][0] for each in answers(printed["groupBy=billing"]))
    assert [len(each["yearMonth"]) for each in (month, cycle, day)] == [7, 10, 10]
    assert {each["budgetUsage"] for each in (month, cycle, day)} == {37.347200001}
    assert printed["parse_float=Decimal"].split("\n") == [
        "budget 37.347200001",
        "events ['sms-3', 'sms-2', 'sms-1'] 0.057200001",
        "",
        "",
    ]
    if pages.has_node():
        assert printed["BigInt"].strip() == "budget 37.347200001 true"
    pointers = {detail["pointer"] for detail in answer(printed["groupBy=week"])["error"]["details"]}
    assert pointers == {"query:endDate", "query:groupBy"}
    assert printed["headers.txt"].startswith("x-tracking-id: trk_")
    assert answer(printed["--enforcement lock"])["error"]["code"] == "usage_limit_exceeded"
    assert answer(printed["/organization/limits"])["standings"][0]["used"] == 37.347200001
    assert answer(printed["costs=known"])["budgetUsage"] == 37.347200001


def test_the_guide_for_frontend_teams_shows_the_mock_as_it_is(tmp_path):
    printed = pages.run(MOCK, tmp_path)
    assert answer(printed.below("Any bearer token will do"))["messageUsage"] == 13025
    recorded, event = answers(printed.below("once it is revoked"))
    assert (recorded["accepted"], event["id"]) == (1, "welcome-1")
    usage, begun = answers(printed["mock/reset"])
    assert (usage["messageUsage"], begun) == (13025, {"session": "test-17", "scenario": "busy"})
    refused, limits, state = answers(printed["over-cap"])
    assert refused["error"]["code"] == "usage_limit_exceeded"
    assert (limits["enforcement"], state["scenario"]) == ("lock", "over-cap")
    busy, unknown, made = answers(printed["code=418"])
    assert busy["error"]["code"] == "too_many_requests"
    assert "it has 200, 400, 401, 402" in unknown["error"]["details"][0]["message"]
    assert made["messageUsage"]
    assert answer(printed["--now"])["billingCycleStart"] == "2026-11-05T00:00:00Z"
    assert answer(printed["example=quiet"])["messageUsage"] == 0


def test_the_guide_for_frontend_teams_names_every_scenario():
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", MOCK.read_text(), re.MULTILINE)
    assert dict(rows) == {name: scenario.description for name, scenario in SCENARIOS.items()}


def test_the_guide_for_operators_loses_nothing(tmp_path, empty_postgres_url):
    printed = pages.run(OPERATOR, tmp_path, POSTGRES_URL=empty_postgres_url)
    assert answer(printed["keys revoke"])["error"]["code"] == "unauthorized"
    assert answer(printed["PATCH"])["nextAnchor"]["anchorDay"] == 31
    assert "budgetCap  250 USD" in printed["limits set"]
    assert "on they start on day 1, Europe/Berlin." in printed["organizations change"]
    assert answer(printed["february.ndjson"])["items"][0]["messageUsage"] == 1200
    audited = [line.split()[2] for line in printed["sendmeter audit"].splitlines() if "  cli:" in line]
    assert audited[:3] == ["events.backfilled", "organization.changed", "limits.changed"]
    right = "Every counter is what its ledger adds up to (2 organizations)."
    for part in ("sendmeter audit", "verify --database backup.db", "groupBy=billing"):
        assert right in printed[part]
    moved = answer(printed["groupBy=billing"])["items"]
    assert [(each["yearMonth"], each["messageUsage"], each["budgetUsage"]) for each in moved] == [
        ("2025-01-15", 0, 0),
        ("2025-02-15", 1200, 0.436),
    ]


def test_the_guide_to_costs_from_providers_settles_costs(tmp_path):
    printed = pages.run(PROVIDERS, tmp_path)
    assert answer(printed["urlopen"]) == {"outcome": "settled"}
    usage = answer(printed.below("and usage has the cost"))
    assert (usage["costSms"], usage["pendingCosts"]) == (0.0051, 0)
    assert answer(printed["telnyx.json)"])["error"]["code"] == "unauthorized"
    assert "https://usage.example.com/organization/providers/ses/events/ep_" in printed["add ses"]
    told = printed["providers status"]
    assert [each["provider"] for each in answers(told)[-1]["items"]] == ["ses", "telnyx"]
    assert "Removed telnyx." in printed["reseal"]


def test_the_guide_for_fuzzing_shows_the_change_that_it_plants(tmp_path):
    printed = pages.run(FUZZING, tmp_path)
    assert printed["contract lint"].startswith("openapi.yaml is OpenAPI 3.0.3 and keeps our ")
    differences, _, compatible = printed["next.yaml"].partition("Compatible")
    breaking = re.findall(r"^\* `(.+)`\. .+: this breaks\.$", FUZZING.read_text(), re.MULTILINE)
    assert len(breaking) == 2
    assert all(change in differences for change in breaking)
    assert re.search(r"^\* `(.+)`\. .+: this is compatible\.$", FUZZING.read_text(), re.MULTILINE)[1] in compatible
    assert printed["next.yaml"].rstrip().endswith("No: a client breaks.")


def test_a_block_that_is_not_to_be_run_is_not_run():
    text = "```sh\na\n```\n<!-- not run: needs a disk -->\n```sh\nb\n```\n```text\nc\n```\nmore\n```sh\nd\n```\n"
    assert [(block.number, block.lines, block.above.strip()) for block in pages.blocks(text)] == [
        (2, "a\n", ""),
        (13, "d\n", "more"),
    ]


REFUSED = [(pages.Block(1, "sh", "curl -w ' %{http_code}\\n' URL\n", "There is no room: 402."), "{} 402\n")]


def test_a_refusal_that_the_page_describes_is_no_failure():
    pages.check_statuses(REFUSED)


@pytest.mark.parametrize("printed", ["{} 409\n", "{} 200\n", "{}\n"])
def test_a_refusal_that_the_page_describes_and_that_does_not_come_is_a_failure(printed):
    with pytest.raises(AssertionError):
        pages.check_statuses([(block, printed) for block, _ in REFUSED])
