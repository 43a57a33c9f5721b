"""API3, broken object property level authorization: nothing is taken but what the contract has, to the last bound;
and nothing is told but what it has.
"""

import json
from decimal import Decimal

import pytest

from sendmeter.contract import contract
from sendmeter.contract.walking import shown
from tests.contract.provoked_responses import REQUESTS, World
from tests.proof.attack.estate import OPERATIONS, rows
from tests.proof.attack.shapes import body_with, bounds, example_of, json_bodies, places, resolved

BODIES = list(json_bodies())
IDS = [f"{operation_id} {media_type}" for operation_id, media_type, _ in BODIES]


def answer_names():
    """Name all that any answer has."""
    return sorted({name for part in shown(contract().document) for name in part.get("properties", {})})


def objects(schema):
    """Return the way to each object within a body that has properties of its own, and no others."""
    for path, part in places(schema):
        if part.get("type") == "object" and part.get("additionalProperties") is False:
            yield path, part


@pytest.mark.parametrize(("operation_id", "media_type", "schema"), BODIES, ids=IDS)
def test_each_valid_body_of_the_walk_is_accepted(operation_id, media_type, schema):
    """What is proven below would mean nothing if the bodies were refused for another reason."""
    assert OPERATIONS[operation_id].bodies[media_type].faults(example_of(schema)) == []
    found = 0
    for path, part in objects(schema):
        body = body_with(schema, path, example_of(part))
        faults = OPERATIONS[operation_id].bodies[media_type].faults(body)
        found += not faults
        assert not faults or "channel" in str(faults) or "provider" in str(faults), (path, body, faults)
    assert found or media_type.startswith("application/cloudevents")


@pytest.mark.parametrize(("operation_id", "media_type", "schema"), BODIES, ids=IDS)
def test_a_property_that_only_answers_have_is_refused(operation_id, media_type, schema):
    """Mass assignment: ids, states, owners and times are ours to set. Each name, in each object of each body."""
    validator = OPERATIONS[operation_id].bodies[media_type]
    unknown = [
        "organizationId",
        "accountId",
        "is_admin",
        "__proto__",
        "constructor",
        "$ref",
        "",
        "id ",
        "ID",
        *answer_names(),
    ]
    for path, part in objects(schema):
        for name in unknown:
            if name not in part["properties"]:
                body = body_with(schema, path, {**example_of(part), name: "x"})
                told = [fault.pointer for fault in validator.faults(body) if fault.message == "is not known here"]
                assert len(told) == 1, (path, name, validator.faults(body))
                assert told[0].endswith(f"/{name}")


def test_properties_that_only_answers_have_change_nothing(server):
    """The same over HTTP, all at once, with the values that are to be had."""
    world = World.of(server)
    before = rows(server.store)
    for operation_id, media_type, _ in BODIES:
        body = REQUESTS[operation_id][1]
        if media_type == "application/json" and body is not None:
            stolen = {name: "x" for name in answer_names() if name not in body} | world.names
            answer = world.ask(operation_id, json={**stolen, **body})
            assert answer.status_code == 400, operation_id
            assert {each["message"] for each in answer.json()["error"]["details"]} >= {"is not known here"}
    assert rows(server.store) == before


def test_an_extension_attribute_of_a_cloudevent_is_not_stored(shared_server, world):
    others = {"organizationid": world.names["organizationId"], "quantity": 9, "cost": 7, "channel": "SMS", "late": True}
    event = {"specversion": "1.0", "id": "ce", "source": "s", "type": "t", "data": {"channel": "EMAIL"}, **others}
    sent = {"content": json.dumps(event), "headers": {"content-type": "application/cloudevents+json"}}
    assert world.ask("events.record", **sent).status_code == 200
    found = world.client.request("GET", "/organization/usage/events/ce?source=s").json()
    assert (found["channel"], found["quantity"], found["late"], found.get("metadata")) == ("EMAIL", 1, False, None)
    assert {"cost", "organizationid"} & set(found) == set()


def test_no_answer_has_properties_that_the_contract_does_not_have():
    """Each object of each answer is closed, so that what a row gets one day is not told by itself."""
    named = {part["$ref"] for part in shown(contract().document) if "$ref" in part}
    assert named
    for part in shown(contract().document):
        if part.get("type") == "object" and "properties" in part:
            assert part["additionalProperties"] is False, part


def test_no_answer_reveals_a_secret(server):
    """Every operation is asked; none tells a secret of a provider, the hash of a key, or what signs cursors."""
    world = World.of(server)
    store = server.store
    secrets = {row[0] for row in store.read(lambda: store.execute("SELECT key_hash FROM api_keys").fetchall())}
    keys = store.read(lambda: store.execute("SELECT cursor_key FROM organizations").fetchall())
    secrets |= {row[0] for row in keys} | {"KEY_of_the_tests"}
    assert len(secrets) >= 4
    write_only = {
        name
        for _, _, schema in BODIES
        for _, part in places(schema)
        for name, member in part.get("properties", {}).items()
        if resolved(member).get("writeOnly")
    }
    assert write_only == {"apiKey", "authToken"}
    for operation_id in OPERATIONS:
        answer = world.ask(operation_id)
        told = f"{answer.text} {answer.headers}"
        assert not any(secret in told for secret in secrets), operation_id
        assert "authToken" not in told
        assert ("apiKey" in told) == (operation_id in ("keys.create", "organizations.create")), operation_id


@pytest.mark.parametrize(("operation_id", "media_type", "schema"), BODIES, ids=IDS)
def test_a_value_at_a_bound_is_accepted_and_one_past_it_refused(operation_id, media_type, schema):
    """Each string, number and list within each body, at its bounds and just past them."""
    validator = OPERATIONS[operation_id].bodies[media_type]
    proven = 0
    for path, part in places(schema):
        alone = contract().schemas.validator(part)
        for bound in bounds(part, alone.accepts):
            assert alone.accepts(bound.value) == bound.is_valid, (path, bound.name, str(bound.value)[:80])
            if not bound.is_valid and not is_one_of_several(schema, path):
                assert validator.faults(body_with(schema, path, bound.value)), (path, bound.name)
            proven += 1
    assert proven >= 2


def is_one_of_several(schema, path):
    """Return whether a value may have another of several types there."""
    return "anyOf" in next(part for at, part in places(schema) if at == path)


def parameters():
    for operation in OPERATIONS.values():
        document = contract().document["paths"][operation.path][operation.method.lower()]
        for each in document.get("parameters", []):
            parameter = contract().resolve(each)
            yield pytest.param(operation, parameter, id=f"{operation.operation_id} {parameter['name']}")


@pytest.mark.parametrize(("operation", "parameter"), list(parameters()))
def test_a_parameter_past_its_bound_is_refused(operation, parameter):
    schema = resolved(parameter["schema"])
    known = operation.path_parameters if parameter["in"] == "path" else operation.parameters
    validator = known[parameter["name"]].validator
    for bound in bounds(schema, validator.accepts):
        assert validator.accepts(bound.value) == bound.is_valid, (bound.name, str(bound.value)[:80])


def test_an_event_with_everything_at_its_bound_is_stored_unchanged(server):
    """Whatever the schema takes can be kept and told, byte for byte: columns are no narrower than the contract."""
    world = World.of(server)
    event = {
        "id": "~" * 128,
        "source": "!" * 128,
        "channel": "SMS",
        "quantity": 1_000_000,
        "cost": Decimal("999999.999999999"),
        "provider": "z" * 64,
        "providerMessageId": "~" * 128,
        "occurredAt": "2026-11-20T11:59:59.123456789+00:00",
        "metadata": {f"{number:02}" + "\U0001f600" * 254: "\U0010ffff" * 256 for number in range(20)},
    }
    content = json.dumps({"events": [event]}, default=str)
    answer = world.ask("events.record", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    found = world.client.request("GET", f"/organization/usage/events/{event['id']}?source={event['source']}").text
    told = json.loads(found, parse_float=Decimal)
    for name in ("id", "source", "channel", "quantity", "cost", "provider", "providerMessageId", "metadata"):
        assert told[name] == event[name], name
