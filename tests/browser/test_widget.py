"""`examples/usage-widget` in a browser: over the mock in every scenario, then the same files over a real server.

What a person sees is asked for as they do: by headings, labels and texts. Pictures go to `build/screenshots/`.
"""

import os
import re
import subprocess
import time
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.mock.scenarios import SCENARIOS
from tests.live import NOON, ROOT, served_process
from tests.tools import missing, program

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("browser")]

WIDGET = ROOT / "examples" / "usage-widget"
VITE = WIDGET / "node_modules" / "vite" / "bin" / "vite.js"
USAGE, LIMITS, HISTORY, EVENTS = "This billing cycle", "Caps", "Cycle by cycle", "Latest events"

# What each scenario of the mock shows, by section.
SHOWN = {
    "fresh": {
        USAGE: ["$0.00", "30 days left", "Nothing was sent in this cycle yet."],
        LIMITS: ["No caps are set."],
        HISTORY: ["20 Nov 2026"],
        EVENTS: ["No event was recorded yet."],
    },
    "busy": {
        USAGE: ["13,025", "$22.5746625", "SMS $21.6208625 + calls $0.9538", "15 days left", "5 Nov 2026 to 5 Dec 2026"],
        LIMITS: ["13,025 of 50,000 used · 36,975 remaining", "$22.5746625 of $100.00 used · $77.4253375 remaining"],
        HISTORY: ["5 Aug 2026", "$12.5033625", "5 Nov 2026", "$22.5746625", "$69.4322125"],
        EVENTS: ["voided", "$0.099425"],
    },
    "near-cap": {LIMITS: ["Near the cap", "13,025 of 13,700 used · 675 remaining", "$1.4253375 remaining"]},
    "at-cap": {USAGE: ["13,025"], LIMITS: ["Reached", "13,025 of 13,000 used · 0 remaining", "$0.00 remaining"]},
    "over-cap": {
        USAGE: [
            "Locked: a cap is reached",
            "The budget cap of 22 USD is reached, with 22.5746625 USD used.",
            "Raise the cap, or wait for the next billing cycle.",
            "Tracking id: trk_",
            "15 days left",
        ],
        LIMITS: ["Reached", "usage is locked", "$22.5746625 of $22.00 used"],
        HISTORY: ["Locked: a cap is reached"],
    },
    "pending-costs": {
        USAGE: ["so far", "12 costs of SMS and calls are still to come."],
        HISTORY: ["$22.5746625so far", "$69.4322125so far"],
        EVENTS: ["still to come"],
    },
    "provider-down": {
        USAGE: [
            "A provider owes costs",
            "Provider: telnyx, its code: 10009",
            "Tracking id: trk_",
            "incomplete",
            "13,025",
        ],
        HISTORY: ["A provider owes costs", "$22.5746625incomplete", "$69.4322125incomplete"],
    },
    "held": {LIMITS: ["500 held", "$5.75 held", "80 held"]},
    "late-month": {USAGE: ["12 hours left"]},
    "read-only": {
        USAGE: ["13,025"],
        EVENTS: ["This key may not see this", "the scope events:read", "Tracking id: trk_"],
    },
}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The widget's files, built once."""
    npm = program("npm", install="It comes with Node.js 20.")
    if not VITE.exists():
        missing("what the widget needs is not installed. Install it with: make .venv/node.stamp")
    folder = tmp_path_factory.mktemp("widget")
    command = [npm, "run", "--silent", "build", "--", "--outDir", folder, "--emptyOutDir", "--logLevel", "warn"]
    done = subprocess.run(command, cwd=WIDGET, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@contextmanager
def served(built, server, folder):
    """Serve the built files, with `/account` passed on to a server, until the block ends; give their address."""
    command = [program("node", install="Install Node.js 20."), VITE, "preview", "--outDir", built, "--port", "0"]
    variables = {**os.environ, "NO_COLOR": "1", "SENDMETER_URL": server}
    log = folder / "vite.log"
    with log.open("wb") as output:
        vite = subprocess.Popen(command, cwd=WIDGET, env=variables, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"http://[0-9.]+:[0-9]+", log.read_text())):
            assert vite.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield found[0]
    finally:
        vite.terminate()
        vite.wait(30)


@pytest.fixture(scope="module")
def over_mock(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mock")
    with (
        served_process(None, folder, "--now", "2026-11-20T12:00:00Z", command="mock") as mock,
        served(built, mock.url, folder) as url,
    ):
        yield url


@pytest.fixture
def see(browse, over_mock):
    """Open the widget over the mock, with a key, and wait until every section is there."""

    def seen(query, **options):
        page = opened(browse, over_mock + query, **options)
        give_key(page, "any text")
        ready(page)
        return page

    return seen


def opened(browse, address, **options):
    page = browse(**options)
    page.clock.set_fixed_time(NOON)  # as the mock's, and as the test server's
    page.goto(address)
    return page


def give_key(page, key):
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Show usage").click()


def ready(page):
    expect(page.locator("section[aria-busy='false']")).to_have_count(4)


def is_not_wider_than_a_telephone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(
        "[...document.querySelectorAll('.content')].every((each) => each.scrollWidth <= each.clientWidth)"
    )


def section(page, name):
    return page.get_by_role("region", name=name)


@pytest.mark.parametrize("scenario", SHOWN)
def test_each_scenario_is_shown_to_the_person(scenario, see, shoot):
    page = see(f"/?scenario={scenario}&session={scenario}")
    for name, texts in SHOWN[scenario].items():
        for text in texts:
            expect(section(page, name)).to_contain_text(text)
    shoot(page, f"widget-{scenario}")
    page.emulate_media(color_scheme="dark")
    is_not_wider_than_a_telephone(page)
    shoot(page, f"widget-{scenario}-small-dark")


def test_each_scenario_has_a_picture():
    assert set(SHOWN) == set(SCENARIOS)


def test_a_section_that_fails_leaves_the_others(see, shoot):
    page = see("/?session=failing&prefer-usage=code%3D500")
    problem = section(page, USAGE).get_by_role("alert")
    expect(problem).to_contain_text("The server failed to answer.")
    expect(problem).to_contain_text("Send the same request again")
    expect(problem).to_contain_text(re.compile("Tracking id: trk_[0-9a-v]{26}"))
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(section(page, LIMITS)).to_contain_text("36,975 remaining")
    shoot(page, "widget-500")
    page.evaluate("history.replaceState(null, '', '/?session=failing')")
    problem.get_by_role("button", name="Try again").click()
    expect(section(page, USAGE)).to_contain_text("$22.5746625")


def test_what_is_not_ready_is_asked_again_after_the_seconds_that_it_names(see, shoot):
    page = see("/?session=later&prefer-history=code%3D503")
    problem = section(page, HISTORY).get_by_role("alert")
    expect(problem).to_contain_text("The database does not answer.")
    expect(problem).to_contain_text("Asking again in 1 s.")
    shoot(page, "widget-503")
    page.evaluate("history.replaceState(null, '', '/?session=later')")
    expect(section(page, HISTORY)).to_contain_text("$69.4322125", timeout=3_000)


def test_a_person_is_asked_to_wait(browse, over_mock, shoot):
    page = opened(browse, f"{over_mock}/?session=slow&prefer=delay%3D2000")
    give_key(page, "any text")
    expect(page.get_by_role("status")).to_have_count(4)
    expect(page.get_by_role("status").first).to_have_text("Loading…")
    shoot(page, "widget-loading")
    ready(page)
    expect(page.get_by_role("status")).to_have_count(0)


def test_a_refused_key_is_forgotten(browse, over_mock, shoot):
    page = opened(browse, f"{over_mock}/?session=refused&prefer=code%3D401")
    give_key(page, "old")
    expect(page.get_by_role("alert")).to_contain_text("Tracking id: trk_")
    expect(page.get_by_role("alert")).to_contain_text("Authorization: Bearer")
    expect(page.get_by_label("API key")).to_be_focused()
    shoot(page, "widget-401")
    page.goto(f"{over_mock}/?session=refused")
    expect(page.get_by_label("API key")).to_be_empty()
    give_key(page, "new")
    ready(page)
    page.reload()
    ready(page)
    page.get_by_role("button", name="Change key").click()
    expect(page.get_by_text("$22.5746625")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()


def test_a_network_that_is_down_is_reported(see, shoot):
    page = see("/?session=offline")
    page.context.set_offline(True)
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_have_count(4)
    expect(page.get_by_role("alert").first).to_contain_text("The server cannot be reached")
    shoot(page, "widget-offline")
    page.context.set_offline(False)
    page.get_by_role("button", name="Refresh").click()
    expect(section(page, USAGE)).to_contain_text("$22.5746625")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_late_refusal_of_the_last_key_does_not_ask_for_a_key_again(browse, over_mock):
    page = opened(browse, f"{over_mock}/?session=late&prefer-usage=code%3D401&prefer-history=code%3D401,delay%3D1500")
    give_key(page, "the-last-key")
    expect(page.get_by_role("alert")).to_contain_text("Tracking id: trk_")
    page.evaluate("history.replaceState(null, '', '/?session=late')")
    with page.expect_response(lambda answer: answer.status == 401 and "history" in answer.url):
        give_key(page, "another-key")
        ready(page)
    page.wait_for_timeout(200)  # time for the page to make something of it
    expect(page.get_by_label("API key")).to_be_hidden()
    expect(section(page, HISTORY)).to_contain_text("$69.4322125")


def test_the_page_that_was_built_on_the_mock_runs_over_the_server(browse, built, sqlite_server, tmp_path, shoot):
    caps = Caps(messages=1_000, budget_nano_usd=10_000_000_000, enforcement="lock")
    organization, sender = sqlite_server.organization(Anchor(15, "America/New_York"), caps)
    reader = sqlite_server.key(organization).token
    with served(built, sqlite_server.url, tmp_path) as url:
        page = opened(browse, url)
        give_key(page, "sendmeter_sk_no_such_key")
        expect(page.get_by_role("alert")).to_contain_text("Tracking id: trk_")
        give_key(page, reader)
        ready(page)
        expect(section(page, USAGE)).to_contain_text("Nothing was sent in this cycle yet.")
        expect(section(page, LIMITS)).to_contain_text("$0.00 of $10.00 used · $10.00 remaining")
        expect(section(page, EVENTS)).to_contain_text("this key has no scopes")

        def after(*events):
            assert sender.record(*events).status_code == 200
            page.get_by_role("button", name="Refresh").click()
            ready(page)

        after(
            {"id": "a", "channel": "EMAIL", "quantity": 500},
            {"id": "b", "channel": "SMS", "quantity": 3, "cost": "1.000000001"},
            {"id": "c", "channel": "CALL"},
        )
        expect(section(page, USAGE)).to_contain_text("$1.000000001")
        expect(section(page, USAGE)).to_contain_text("so far")
        expect(section(page, LIMITS)).to_contain_text("500 of 1,000 used · 500 remaining")
        expect(section(page, HISTORY).get_by_role("row", name="15 Nov 2026")).to_contain_text("$1.000000001")
        is_not_wider_than_a_telephone(page)
        shoot(page, "widget-real-used")

        after({"id": "d", "channel": "EMAIL", "quantity": 400}, {"id": "e", "channel": "CALL", "cost": 7.5})
        expect(section(page, LIMITS).get_by_text("Near the cap")).to_have_count(2)
        expect(section(page, LIMITS)).to_contain_text("$8.500000001 of $10.00 used · $1.499999999 remaining")

        after({"id": "f", "channel": "SMS", "cost": "1.5"})
        expect(section(page, USAGE)).to_contain_text("Locked: a cap is reached")
        expect(section(page, USAGE)).to_contain_text("15 Nov 2026, 05:00 UTC to 15 Dec 2026, 05:00 UTC")
        expect(section(page, LIMITS)).to_contain_text("$10.000000001 of $10.00 used · $0.00 remaining")
        shoot(page, "widget-real-locked")
