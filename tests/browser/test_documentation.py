"""`/docs` as people use it: with a key, every operation can be tried as its examples stand."""

import json

import pytest
from playwright.sync_api import expect

from sendmeter.contract import contract, find
from sendmeter.domain.keys import SCOPES
from sendmeter.mock.app import create_mock
from sendmeter.mock.scenarios import DEFAULT
from sendmeter.mock.worlds import Worlds
from tests.live import served

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("browser")]

# What each operation answers a fresh organization, tried in the order of the page, with what the page has filled in.
ANSWERS = {
    "usage.get": 200,
    "usage.history": 200,
    "events.search": 200,
    "events.record": 200,
    "events.get": 200,
    "events.void": 200,
    "events.settle": 409,  # the event was voided the moment before
    "holds.place": 201,
    "holds.get": 200,
    "holds.settle": 200,
    "holds.release": 409,  # the hold was settled the moment before
    "limits.get": 200,
    "limits.put": 200,
    "keys.search": 200,
    "keys.create": 201,
    "keys.revoke": 404,  # no key goes by the example's id: a try must not revoke the caller's own
    "providers.search": 200,
    "providers.add": 201,
    "providers.receive": None,  # what a provider signed is sent as a file, which is to be chosen first
    "providers.remove": 204,
    "organizations.search": 200,
    "organizations.create": 201,
    "organizations.get": 404,
    "organizations.change": 404,
    "health.live": 200,
    "health.ready": 200,
}


@pytest.fixture
def docs(browse, sqlite_server):
    page = browse()
    page.goto(f"{sqlite_server.url}/docs")
    page.locator(".opblock").first.wait_for()
    return page


@pytest.fixture
def key(sqlite_server):
    """A key with every scope, of a fresh organization."""
    organization, _ = sqlite_server.organization()
    return sqlite_server.key(organization, *SCOPES).token


def authorize(page, key):
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(key)
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).click()


def operation(page, operation_id):
    return page.locator(".opblock").filter(has=page.get_by_text(operation_id, exact=True))


def unfold(block):
    # Playwright would scroll and wait until nothing moves, half a second for each of the many.
    block.locator(".opblock-summary-control").dispatch_event("click")


def execute(block):
    """Press "Execute"; give the status and the body that the page shows then."""
    shown = block.locator(".live-responses-table .response")
    clear = block.get_by_role("button", name="Clear")
    if clear.count():  # the answer before would be read where the page is slower than the server
        clear.click()
        expect(shown).to_have_count(0)
    block.get_by_role("button", name="Execute").click()
    status = int(shown.locator(".response-col_status").inner_text().split()[0])
    body = shown.locator(".highlight-code code").first
    return status, json.loads(body.inner_text()) if body.count() else None


def test_the_page_shows_what_a_key_may_see(docs, key, shoot):
    usage = operation(docs, "usage.get")
    unfold(usage)
    status, body = execute(usage)
    assert (status, body["error"]["code"]) == (401, "unauthorized")
    shoot(docs, "docs-without-a-key", full_page=False)

    authorize(docs, key)
    status, body = execute(usage)
    assert (status, body["budgetUsage"]) == (200, 0)

    record = operation(docs, "events.record")
    unfold(record)
    status, body = execute(record)
    assert (status, body["accepted"]) == (200, 2)
    assert execute(record)[1]["duplicates"] == 2
    status, body = execute(usage)
    assert (status, body["budgetUsage"], body["channelUsages"]["SMS"]) == (200, 0.0529, 1)
    shoot(docs, "docs-with-a-key", full_page=False)


def test_each_operation_can_be_tried_as_it_stands(docs, key):
    assert set(ANSWERS) == set(contract().operations)
    authorize(docs, key)
    answers = {}
    for operation_id in docs.locator(".opblock-summary-operation-id").all_inner_texts():
        block = operation(docs, operation_id)
        unfold(block)
        answers[operation_id] = execute(block)[0] if ANSWERS[operation_id] else None
        unfold(block)
    assert answers == ANSWERS


def test_the_required_key_and_where_to_enter_it_are_in_sight(docs):
    place = operation(docs, "holds.place")
    unfold(place)
    expect(place.get_by_text("x-required-scope")).to_be_visible()
    expect(place.get_by_text("holds:write")).to_be_visible()
    operation(docs, "health.ready").scroll_into_view_if_needed()
    expect(docs.get_by_role("button", name="Authorize")).to_be_in_viewport()


@pytest.fixture
def mock_docs(browse, tmp_path, clock):
    worlds = Worlds(tmp_path, clock, DEFAULT)
    with served(create_mock(find(), worlds)) as url:
        page = browse()
        page.goto(f"{url}/docs")
        page.locator(".opblock").first.wait_for()
        yield page
    worlds.close()


def test_the_page_of_the_mock_tries_the_world_that_is_chosen_on_it(mock_docs, shoot):
    scenario, session = mock_docs.get_by_label("Scenario"), mock_docs.get_by_label("Session")
    usage = operation(mock_docs, "usage.get")
    unfold(usage)
    status, body = execute(usage)
    assert (status, body["messageUsage"]) == (200, 13025)

    scenario.select_option("over-cap")
    assert execute(usage)[0] == 402
    scenario.select_option("")
    assert execute(usage)[0] == 402, "the world did not stay as it was"

    session.fill("another")
    assert execute(usage)[0] == 200
    mock_docs.get_by_label("Prefer").fill("example=pending")
    assert execute(usage)[1]["pendingCosts"] == 3

    mock_docs.get_by_label("Prefer").fill("")
    session.fill("default")
    scenario.select_option("fresh")
    mock_docs.get_by_role("button", name="Begin again").click()
    expect(mock_docs.get_by_role("status")).to_have_text("The session default began again as fresh.")
    assert execute(usage)[1]["messageUsage"] == 0
    session.fill("no such session")
    session.evaluate("input => input.removeAttribute('pattern')")
    mock_docs.get_by_role("button", name="Begin again").click()
    expect(mock_docs.get_by_role("status")).to_contain_text("is not a name of 1 to 128")
    mock_docs.get_by_text("What the scenarios are").click()
    expect(mock_docs.get_by_role("row", name="late-month")).to_be_visible()
    shoot(mock_docs, "docs-of-the-mock", full_page=False)
