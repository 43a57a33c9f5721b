"""Each link of the contract is followed over HTTP, with what the answer gives: it leads where it says."""

import re
from functools import reduce

import pytest

from sendmeter.contract import contract
from tests.contract.provoked_responses import REQUESTS, World, as_sent

SUCCESSES = (200, 201, 204)


def links():
    """Return each link: the operation, the status, its name."""
    for operation in contract().operations.values():
        document = contract().document["paths"][operation.path][operation.method.lower()]
        for status, answer in document["responses"].items():
            for name in contract().resolve(answer).get("links", {}):
                yield operation.operation_id, int(status), name


def link_of(operation_id, status, name):
    operation = contract().operations[operation_id]
    document = contract().document["paths"][operation.path][operation.method.lower()]
    return contract().resolve(document["responses"][str(status)])["links"][name]


def evaluate(expression, answer):
    """Read a runtime expression of OpenAPI: a part of the answer's body, or of the request's query."""
    place, _, rest = expression.removeprefix("$").partition(".")
    if place == "request":
        return answer.request.url.params.get(rest.removeprefix("query."))
    steps = rest.removeprefix("body#/").split("/")
    return reduce(lambda value, step: value[int(step) if step.isdigit() else step], steps, answer.json())


def ask(world, operation_id, query=""):
    """Send the valid request of an operation; a listing gives a page that is not the last."""
    path = REQUESTS[operation_id][0]
    if "limit" in contract().operations[operation_id].parameters:
        query = f"{'&' if '?' in path else '?'}limit=1"
        world.client.record({"id": "second", "channel": "SMS"})
        world.server.organization()
    return world.ask(operation_id, query=query)


def follow(world, answer, link):
    """Ask what a link leads to."""
    operation = contract().operations[link["operationId"]]
    given = {name: evaluate(expression, answer) for name, expression in link.get("parameters", {}).items()}
    path = REQUESTS[operation.operation_id][0].partition("?")[0]
    if operation.path_parameters:
        path = re.sub(r"\{(\w+)\}", lambda name: str(given.pop(name[1])), operation.path)
    body = REQUESTS[operation.operation_id][1]
    query = {name: value for name, value in given.items() if value is not None}
    return world.client.request(operation.method, path, params=query, **as_sent(body, world.server.clock()))


@pytest.mark.parametrize(("operation_id", "status", "name"), list(links()))
def test_each_link_leads_to_a_success(operation_id, status, name, sqlite_server):
    world = World.of(sqlite_server)
    if (operation_id, status) == ("providers.add", 201):
        world.ask("providers.remove")
    answer = ask(world, operation_id)
    if status != answer.status_code:
        answer = ask(world, operation_id)
    assert answer.status_code == status
    link = link_of(operation_id, status, name)
    followed = follow(world, answer, link)
    is_cost_of_a_message = link["operationId"] == "events.settle" and answer.request.method == "POST"
    if is_cost_of_a_message:
        assert followed.json()["error"]["details"][0]["message"] == "does not apply: EMAIL has no cost"
    else:
        assert followed.status_code in SUCCESSES, followed.text


WALK = [
    ("holds.place", 201, "settle"),
    ("holds.settle", 200, "event"),
    ("events.get", 200, "settle"),
    ("events.settle", 200, "get"),
    ("events.get", 200, "void"),
    ("events.void", 200, "usage"),
    ("usage.get", 200, "recordMore"),
    ("events.record", 200, "search"),
    ("events.search", 200, "void"),
    ("events.void", 200, "get"),
]


def test_links_alone_lead_from_a_hold_to_the_usage(server):
    world = World.of(server)
    answer = world.client.request(
        "POST", "/organization/usage/holds", json={"id": "walk", "channel": "SMS", "quantity": 3, "estimatedCost": "1"}
    )
    for operation_id, status, name in WALK:
        assert answer.status_code == status, (operation_id, name, answer.text)
        server.clock.advance(seconds=1)
        answer = follow(world, answer, link_of(operation_id, status, name))
    assert answer.json()["state"] == "voided"
    usage = world.client.usage().json()
    assert usage["channelUsages"]["SMS"] + usage["channelUsages"]["EMAIL"] == 1, "two of three events were voided"


def test_each_operation_is_reached_by_a_link():
    reached = {link_of(*link)["operationId"] for link in links()}
    first = {"usage.history", "organizations.create", "keys.create", "health.live", "health.ready"}
    assert set(contract().operations) - reached - first == set()
