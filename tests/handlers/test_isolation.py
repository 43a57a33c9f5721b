"""An organization never sees or changes another's data, whatever it names; and no key gives more than it has."""

import pytest

from sendmeter.contract import contract
from sendmeter.domain.keys import SCOPES
from tests.contract.provoked_responses import REQUESTS, World

# What a provider signs is nobody's who has a key (test_providers.py).
NAMED = [
    name for name, operation in contract().operations.items() if operation.path_parameters and not operation.public
]
OWN = [name for name in NAMED if not name.startswith("organizations.")]
LISTINGS = ("events.search", "keys.search", "organizations.search")


def state(world):
    """Tell all that an organization may see of itself."""
    paths = ("/organization/usage", "/organization/limits", "/organization/usage/events", "/organization/keys")
    seen = [world.client.request("GET", path).json() for path in paths]
    return [*seen, world.ask("holds.get").json()]


@pytest.mark.parametrize("operation_id", OWN)
def test_what_another_organization_has_is_not_there_and_stays_as_it_is(server, operation_id):
    world = World.of(server)
    organization, _ = server.organization()
    stranger = server.client(server.key(organization, *SCOPES).token)
    before = state(world)
    answer = world.ask(operation_id, client=stranger)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert state(world) == before
    assert stranger.request("GET", "/organization/usage/events").json() == {"items": []}


def test_the_same_ids_in_two_organizations_are_two_events_and_two_holds(server):
    one, other = World.of(server), World.of(server)
    assert one.ask("events.void").json()["state"] == "voided"
    assert one.ask("holds.release").json()["state"] == "released"
    assert other.ask("events.get").json()["state"] == "recorded"
    assert other.ask("holds.get").json()["state"] == "held"


@pytest.mark.parametrize("operation_id", LISTINGS)
def test_a_cursor_of_another_organization_or_a_changed_one_is_refused(server, operation_id):
    one, other = World.of(server), World.of(server)
    for world in (one, other):
        for number in range(3):
            world.client.record({"id": f"more-{number}", "channel": "SMS"})
    query = "&limit=1" if "?" in REQUESTS[operation_id][0] else "?limit=1"
    cursor = one.ask(operation_id, query=query).json()["nextCursor"]
    assert one.ask(operation_id, query=f"{query}&cursor={cursor}").status_code == 200
    changed = cursor[:-3] + ("AAA" if cursor[-3:] != "AAA" else "BBB")
    for client, sent in ((other.client, cursor), (one.client, changed), (one.client, cursor[:20]), (one.client, "A")):
        answer = one.ask(operation_id, client=client, query=f"{query}&cursor={sent}")
        assert answer.status_code == 400
        assert answer.json()["error"]["details"] == [
            {"pointer": "query:cursor", "message": "is not a cursor of this listing"}
        ]


def test_a_cursor_is_of_its_listing_and_filters_only(sqlite_server):
    world = World.of(sqlite_server)
    world.client.record({"id": "second", "channel": "SMS"})
    cursor = world.ask("events.search", query="&limit=1").json()["nextCursor"]
    for path in ("/organization/usage/events", "/organization/usage/events?channel=CALL", "/organization/keys"):
        query = f"{'&' if '?' in path else '?'}cursor={cursor}"
        assert world.client.request("GET", path + query).status_code == 400


def test_pages_of_each_listing_give_everything_once(server):
    world = World.of(server)
    for number in range(5):
        world.client.record({"id": f"more-{number}", "channel": ("EMAIL", "SMS")[number % 2]})
        world.client.request("POST", "/organization/keys", json={"name": f"key {number}"})
        world.client.request("POST", "/organizations", json={"name": f"organization {number}"})
    names = {"/organization/usage/events": "id", "/organization/keys": "keyId", "/organizations": "organizationId"}
    for path, name in names.items():
        whole = [item[name] for item in world.client.request("GET", f"{path}?limit=200").json()["items"]]
        paged, cursor = [], ""
        while cursor is not None:
            page = world.client.request("GET", f"{path}?limit=2{cursor}").json()
            assert len(page["items"]) <= 2
            paged += [item[name] for item in page["items"]]
            cursor = f"&cursor={page['nextCursor']}" if "nextCursor" in page else None
        assert paged == whole
        assert len(set(whole)) == len(whole) >= 6


def test_an_operators_operations_are_for_operators_alone(sqlite_server):
    world = World.of(sqlite_server)
    everything_else = [scope for scope in SCOPES if scope != "operator"]
    client = sqlite_server.client(sqlite_server.key(world.organization, *everything_else).token)
    for operation_id in (name for name in REQUESTS if name.startswith("organizations.")):
        assert world.ask(operation_id, client=client).status_code == 403
