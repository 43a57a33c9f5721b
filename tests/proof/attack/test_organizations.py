"""API1, broken object level authorization: what another organization has is what never was.

Each id of one organization, used with a key of another that may do everything, is answered as an id that nobody has, to
the last header; and not a row of the database changes, of anybody's.
"""

import base64
import string

import pytest

from sendmeter.domain.keys import SCOPES
from tests.contract.provoked_responses import NOWHERE, REQUESTS, SMS, UNKNOWN, World
from tests.contract.signing import report, signed
from tests.live import NOON
from tests.proof.attack.estate import OPERATIONS, WITH_KEY, rows, same_answer

# The operator's own operations are for all organizations.
NAMING = [name for name in WITH_KEY if OPERATIONS[name].path_parameters and not name.startswith("organizations.")]
LISTINGS = [name for name in WITH_KEY if "cursor" in OPERATIONS[name].parameters]
EVERYTHING_ELSE = [scope for scope in SCOPES if scope != "operator"]
BASE_64 = string.ascii_letters + string.digits + "-_"


@pytest.fixture
def stranger(server):
    """A key of another organization, which may do everything there."""
    organization, _ = server.organization()
    return server.client(server.key(organization, *SCOPES).token)


def unknown_path(operation_id):
    path = REQUESTS[operation_id][0]
    for known, unknown in UNKNOWN.items():
        path = path.replace(known, unknown)
    return path.format(**NOWHERE)


def test_an_id_of_another_organization_answers_like_one_that_does_not_exist(server, stranger):
    world = World.of(server)
    names = [*world.names.values(), *NOWHERE.values(), "unknown", "unheld", "known", "held"]
    for operation_id in NAMING:
        before = rows(server.store)
        theirs = world.ask(operation_id, client=stranger)
        body = REQUESTS[operation_id][1]
        sent = {} if body is None else {"json": body}
        nobodys = stranger.request(OPERATIONS[operation_id].method, unknown_path(operation_id), **sent)
        assert theirs.status_code == 404, operation_id
        assert same_answer(theirs, *names) == same_answer(nobodys, *names), operation_id
        assert rows(server.store) == before, operation_id


def test_an_id_of_another_organization_in_a_body_or_a_query_does_not_reach_it(server, stranger):
    """What is named there is the caller's own: an id that another has too is another thing."""
    world = World.of(server)
    # The stranger's own organization keeps when its last hold was decided: from now on nothing of it changes.
    assert (
        stranger.request("POST", "/organization/usage/holds", json={"id": "1", "channel": "EMAIL"}).status_code == 201
    )
    own = {table: lines for table, lines in rows(server.store).items() if table not in ("api_keys", "audit_log")}
    assert stranger.record(SMS).json()["accepted"] == 1
    hold = {"id": "held", "channel": "SMS", "quantity": 7, "estimatedCost": "0.5"}
    assert stranger.request("POST", "/organization/usage/holds", json=hold).status_code == 201
    settled = stranger.request(
        "POST", "/organization/usage/holds/held/settle", json={"eventId": "known", "source": "api"}
    )
    assert settled.status_code == 409, "the id is the stranger's own event"
    assert stranger.request("GET", "/organization/usage/events/known?source=twilio").status_code == 404
    after = rows(server.store)
    for table, lines in own.items():
        assert set(lines) <= set(after[table]), table
    assert world.ask("holds.get").json()["quantity"] == 2


def test_a_key_without_the_operators_scope_does_not_learn_which_organizations_exist(server):
    world = World.of(server)
    organization, _ = server.organization()
    stranger = server.client(server.key(organization, *EVERYTHING_ELSE).token)
    before = rows(server.store)
    for operation_id in (name for name in WITH_KEY if name.startswith("organizations.")):
        told = set()
        for each in (
            world.organization.organization_id,
            organization.organization_id,
            NOWHERE["organizationId"],
            "org_x",
        ):
            answer = world.ask(operation_id, client=stranger, names={"organizationId": each})
            told.add(same_answer(answer, each))
        assert [status for status, *_ in told] == [403], operation_id
    assert rows(server.store) == before


def test_a_report_reaches_only_the_organization_of_its_endpoint(server):
    """Both organizations have the same Telnyx account here: the endpoint alone says whose a report is."""
    world, other = World.of(server), World.of(server)
    body = report("theirs", NOON)
    headers = signed(body, server.clock())
    assert other.ask("providers.receive", content=body, headers=headers).status_code == 200
    assert "lastReceiptAt" not in world.ask("providers.search").json()["items"][0]
    nowhere = {**world.names, "endpointId": NOWHERE["endpointId"]}
    assert world.ask("providers.receive", names=nowhere, content=body, headers=headers).status_code == 404


def cursors(world, operation_id):
    """Return all cursors of a listing, page by page."""
    query, found = "&limit=1" if "?" in REQUESTS[operation_id][0] else "?limit=1", []
    while True:
        page = world.ask(operation_id, query=query + (f"&cursor={found[-1]}" if found else "")).json()
        if "nextCursor" not in page:
            return query, found
        found.append(page["nextCursor"])


def following(letter):
    return BASE_64[(BASE_64.index(letter) + 1) % 64]


def refused_cursor(world, operation_id, query, cursor, client=None):
    answer = world.ask(operation_id, client=client, query=f"{query}&cursor={cursor}")
    assert answer.status_code == 400, (operation_id, cursor)
    return same_answer(answer)


@pytest.mark.parametrize("operation_id", LISTINGS)
def test_no_cursor_of_another_organization_begins_a_page(shared_server, operation_id):
    one, other = World.of(shared_server), World.of(shared_server)
    for number in range(4):
        for world in (one, other):
            world.client.record({"id": f"more-{number}", "channel": "SMS"})
    query, found = cursors(one, operation_id)
    assert found
    told = {refused_cursor(other, operation_id, query, cursor) for cursor in found}
    assert len(told) == 1, "nothing is told of where it stands"


@pytest.mark.parametrize("operation_id", LISTINGS)
def test_a_cursor_that_was_changed_anywhere_or_cut_is_refused(shared_server, operation_id):
    world, _ = World.of(shared_server), World.of(shared_server)
    world.client.record({"id": "more", "channel": "SMS"})
    query, (cursor, *_) = cursors(world, operation_id)
    changed = [cursor[:place] + following(letter) + cursor[place + 1 :] for place, letter in enumerate(cursor)]
    cut = [cursor[:length] for length in range(1, len(cursor), 5)] + [
        cursor[start:] for start in range(1, len(cursor), 5)
    ]
    grown = [cursor + "A", "A" + cursor, cursor + cursor, cursor.swapcase()]
    # What it says, signed with nothing, with zeros, and with another length of the signature.
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = [
        base64.urlsafe_b64encode(signature + raw[16:]).decode().rstrip("=")
        for signature in (b"", bytes(16), raw[:8], raw[:15], raw[:16] + b" ")
    ]
    told = {refused_cursor(world, operation_id, query, each) for each in [*changed, *cut, *grown, *forged]}
    assert len(told) == 1


@pytest.mark.parametrize(
    "form",
    ["%20{}", "{}%20", "{}%00", "{}%0a", "{}%0d", "{};", "{}.json", "{}%25", "{}_", "{},{}", "{}*", "{}'--", "{}%2f",
     "{}%5c", "\uff10{}", "{}%e2%80%8b", "{}%cc%81", "[{}]", "{{{}}}", "%{}", "{}?", "..%2f{}", "0{}"],
)  # fmt: skip
def test_an_id_spelled_differently_is_not_the_id(shared_server, target, form):
    """White space, encodings, and what databases and file systems read into a name."""
    names = {name: form.format(value, value) for name, value in target.names.items()}
    before = rows(shared_server.store)
    for operation_id in ("keys.revoke", "organizations.get", "organizations.change", "providers.remove"):
        if form != "{}?" or operation_id == "keys.revoke":
            answer = target.ask(operation_id, names=names, **({"query": "a"} if form == "{}?" else {}))
            assert answer.status_code in (400, 404), (operation_id, answer.text)
    for path in (f"/organization/usage/holds/{form.format('held', 'held')}", "/organization/usage/events/known%00"):
        assert target.client.request("GET", path + ("a" if form == "{}?" else "")).status_code in (400, 404)
    assert rows(shared_server.store) == before


@pytest.mark.parametrize("write", [str.upper, str.title, lambda text: text[:-1], lambda text: text[1:]])
def test_an_id_in_another_case_or_cut_is_not_the_id(shared_server, target, write):
    names = {name: write(value) for name, value in target.names.items()}
    before = rows(shared_server.store)
    for operation_id in ("keys.revoke", "organizations.get", "organizations.change", "providers.remove"):
        assert target.ask(operation_id, names=names).status_code == 404, operation_id
    assert rows(shared_server.store) == before
