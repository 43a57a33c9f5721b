"""Every answer that the contract documents, provoked over HTTP: one request of each operation, and what goes wrong."""

import sqlite3
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sendmeter.contract import contract
from sendmeter.domain.caps import Caps
from sendmeter.domain.keys import SCOPES
from sendmeter.services import providers
from sendmeter.services.vault import vault_of
from sendmeter.store import Store
from tests.contract.signing import SETUP, report, signed
from tests.live import JSON, NOON, live_server
from tests.services.use_cases import fail

EMAIL = {"id": "1", "channel": "EMAIL"}
SMS = {"id": "known", "channel": "SMS", "provider": "twilio"}
HOLD = {"id": "held", "channel": "SMS", "quantity": 2, "estimatedCost": "0.02"}
ROOT_PATH = "/organization/usage"
TABLES = ("organizations", "events", "cycle_counters", "holds", "provider_connections", "audit_log")
# What a body has that is valid; a request without a body has None, and one that is signed has bytes.
REQUESTS = {
    "usage.get": (ROOT_PATH, None),
    "usage.history": (f"{ROOT_PATH}/history?startDate=2026-11-01&endDate=2026-11-30", None),
    "events.record": (f"{ROOT_PATH}/events", {"events": [EMAIL]}),
    "events.search": (f"{ROOT_PATH}/events?channel=SMS", None),
    "events.get": (f"{ROOT_PATH}/events/known", None),
    "events.void": (f"{ROOT_PATH}/events/known/void", {"reason": "a mistake"}),
    "events.settle": (f"{ROOT_PATH}/events/known/cost", {"cost": "0.01"}),
    "holds.place": (f"{ROOT_PATH}/holds", {"id": "new", "channel": "SMS", "estimatedCost": "0.01"}),
    "holds.get": (f"{ROOT_PATH}/holds/held", None),
    "holds.settle": (f"{ROOT_PATH}/holds/held/settle", {"cost": "0.02"}),
    "holds.release": (f"{ROOT_PATH}/holds/held/release", None),
    "limits.get": ("/organization/limits", None),
    "limits.put": ("/organization/limits", {"messageCap": 10}),
    "keys.search": ("/organization/keys", None),
    "keys.create": ("/organization/keys", {"name": "made", "scopes": ["events:read"]}),
    "keys.revoke": ("/organization/keys/{keyId}", None),
    "providers.search": ("/organization/providers", None),
    "providers.add": ("/organization/providers", SETUP),
    "providers.remove": ("/organization/providers/{provider}", None),
    "providers.receive": ("/organization/providers/{provider}/events/{endpointId}", report("reported", NOON)),
    "organizations.search": ("/organizations", None),
    "organizations.create": ("/organizations", {"name": "Made"}),
    "organizations.get": ("/organizations/{organizationId}", None),
    "organizations.change": ("/organizations/{organizationId}", {"anchorDay": 15}),
    "health.live": ("/health/live", None),
    "health.ready": ("/health/ready", None),
}
UNKNOWN = {"known": "unknown", "held": "unheld"}
NOWHERE = {
    "keyId": f"key_{'0' * 26}",
    "organizationId": f"org_{'0' * 26}",
    "provider": "ses",
    "endpointId": f"ep_{'0' * 39}",
}

CODES = {
    400: "invalid_request",
    401: "unauthorized",
    402: "usage_limit_exceeded",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "payload_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    502: "provider_error",
    503: "unavailable",
}


def as_sent(body, now):
    """Return what an HTTP client is told of a body; a report is signed now."""
    if isinstance(body, bytes):
        return {"content": body, "headers": signed(body, now)}
    return {} if body is None else {"json": body}


@dataclass
class World:
    """An organization with an event, a hold, a provider and a key that may do everything."""

    server: object
    organization: object
    client: object
    names: dict

    @classmethod
    def of(cls, server, **caps):
        organization, _ = server.organization(caps=Caps(**caps))
        made = server.key(organization, *SCOPES)
        client = server.client(made.token)
        assert client.record(SMS).status_code == 200
        assert client.request("POST", f"{ROOT_PATH}/holds", json=HOLD).status_code in (201, 402)
        vault, other = vault_of(server.settings.secrets_key), server.key(organization).key.key_id
        telnyx, _ = providers.add(
            server.store, vault, organization.number, SETUP["provider"], SETUP, server.clock(), by="test"
        )
        names = {
            "keyId": other,
            "organizationId": organization.organization_id,
            "provider": telnyx.connection.provider,
            "endpointId": telnyx.connection.endpoint_id,
        }
        return cls(server, organization, client, names)

    def ask(self, operation_id, *, client=None, names=None, query="", **options):
        """Send the valid request of an operation, with what is given otherwise."""
        path, body = REQUESTS[operation_id]
        path = path.format(**(names or self.names)) + query
        if "content" not in options:
            options = {**as_sent(body, self.server.clock()), **options}
        return (client or self.client).request(contract().operations[operation_id].method, path, **options)


def succeed(operation_id):
    return lambda server: World.of(server).ask(operation_id)


def name_an_unknown_parameter(operation_id):
    query = "&deep=yes" if "?" in REQUESTS[operation_id][0] else "?deep=yes"
    return lambda server: World.of(server).ask(operation_id, query=query)


def show_no_key(operation_id):
    return lambda server: World.of(server).ask(operation_id, client=server.client())


def lack_the_scope(operation_id):
    def provoke(server):
        world = World.of(server)
        return world.ask(operation_id, client=server.client(server.key(world.organization).token))

    return provoke


def name_what_is_not_there(operation_id):
    def provoke(server):
        world = World.of(server)
        path, body = REQUESTS[operation_id]
        for known, unknown in UNKNOWN.items():
            path = path.replace(known, unknown)
        sent = as_sent(body, server.clock())
        return world.client.request(contract().operations[operation_id].method, path.format(**NOWHERE), **sent)

    return provoke


def send_too_much(operation_id):
    return lambda server: World.of(server).ask(operation_id, headers=JSON, content=b" " * 1_048_577)


def send_a_page(operation_id):
    return lambda server: World.of(server).ask(operation_id, headers={"content-type": "text/html"}, content=b"{}")


def ask_a_busy_server(operation_id):
    def provoke(server):
        world = World.of(server)
        with live_server(server.store, server.clock, max_waiting=0) as busy:
            return world.ask(operation_id, client=busy.client(world.client.token))

    return provoke


def break_database(server):
    """Take tables away that answers need; the one of the keys stays."""
    for table in TABLES:
        server.store.write(lambda table=table: server.store.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere"))


def ask_while_broken(operation_id):
    def provoke(server):
        world = World.of(server)
        break_database(server)
        return world.ask(operation_id)

    return provoke


@contextmanager
def locked_server(server):
    """Serve a copy of a server's database that somebody else keeps for himself, until told otherwise."""
    copy = f"{server.store.path}-{time.monotonic_ns()}.db"
    with closing(sqlite3.connect(server.store.path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with (
        closing(sqlite3.connect(copy, isolation_level=None)) as other,
        closing(Store(f"sqlite:///{copy}", busy_timeout_seconds=0.1)) as store,
    ):
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with live_server(store, server.clock) as locked:
            yield locked, other.close


def ask_while_another_has_the_database(operation_id):
    def provoke(server):
        world = World.of(server)
        with locked_server(server) as (locked, _):
            return world.ask(operation_id, client=locked.client(world.client.token))

    return provoke


def read_while_locked(operation_id):
    return lambda server: World.of(server, enforcement="lock", messages=0).ask(operation_id)


def hold_without_room(server):
    return World.of(server, channels={"SMS": 0}).ask("holds.place")


def read_while_a_provider_owes(operation_id):
    def provoke(server):
        world = World.of(server)
        since = server.clock() - timedelta(hours=2)
        number = world.organization.number
        fail(server.store, number, "twilio", "20003", since)
        return world.ask(operation_id)

    return provoke


def do_first(operation_id, first, **options):
    """Do something that leaves a state in which the operation is a conflict."""

    def provoke(server):
        world = World.of(server)
        assert world.ask(first).status_code in (200, 201, 204)
        return world.ask(operation_id, **options)

    return provoke


def change_what_telnyx_signed(server):
    body = report("forged", NOON)
    return World.of(server).ask("providers.receive", content=body + b" ", headers=signed(body, server.clock()))


def set_up_without_a_key_for_secrets(server):
    world = World.of(server)
    with live_server(server.store, server.clock, secrets_key="") as keyless:
        client = type(world.client)(keyless.url, world.client.token)
        keyless.clients.append(client)
        return world.ask("providers.add", client=client)


def newer_schema(server):
    insert = "INSERT INTO schema_migration (name, applied) VALUES ('9999_of_tomorrow', '2027-01-01 00:00:00')"
    server.store.write(lambda: server.store.execute(insert))
    return server.client().request("GET", "/health/ready")


CONFLICTS = {
    "events.record": do_first("events.record", "events.record", json={"events": [{**EMAIL, "quantity": 2}]}),
    "events.void": do_first("events.void", "events.void"),
    "events.settle": do_first("events.settle", "events.void"),
    "holds.place": do_first("holds.place", "holds.place", json={"id": "new", "channel": "PUSH"}),
    "holds.settle": do_first("holds.settle", "holds.release"),
    "holds.release": do_first("holds.release", "holds.settle"),
}
WAYS = {
    200: succeed,
    201: succeed,
    204: succeed,
    400: name_an_unknown_parameter,
    401: show_no_key,
    402: read_while_locked,
    403: lack_the_scope,
    404: name_what_is_not_there,
    409: lambda operation_id: CONFLICTS[operation_id],
    413: send_too_much,
    415: send_a_page,
    429: ask_a_busy_server,
    500: ask_while_broken,
    502: read_while_a_provider_owes,
    503: ask_while_another_has_the_database,
}
OTHERWISE = {
    ("holds.place", 200): do_first("holds.place", "holds.place"),
    ("holds.place", 402): hold_without_room,
    ("providers.add", 201): do_first("providers.add", "providers.remove"),
    ("providers.add", 409): set_up_without_a_key_for_secrets,
    ("providers.receive", 401): change_what_telnyx_signed,
    ("health.ready", 503): newer_schema,
}


def provoked():
    """Return a way to each answer that the contract documents."""
    return {
        (name, status): OTHERWISE.get((name, status)) or WAYS[status](name)
        for name, operation in contract().operations.items()
        for status in operation.answers
    }
