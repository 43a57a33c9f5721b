"""API2 and API5: without the right key nothing is told and nothing done, whichever operation is asked for; and a key
does what its scopes name and no more. What a wrong key costs us says nothing of how wrong it is.
"""

import base64
import hmac
import json
import os
import statistics
import time
from pathlib import Path

import pytest

from sendmeter.domain.keys import PREFIX, SCOPES, hash_of, read_token
from sendmeter.services import keys
from tests.contract.provoked_responses import World
from tests.proof.attack.estate import OPERATIONS, SCOPED, WITH_KEY, head, request_of, rows
from tests.web.raw import Line, check_refusal

ROUNDS = int(os.environ.get("PROOF_EXAMPLES", "0"))


def written(raw):
    """Write bytes as a key is written."""
    return PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def raw_of(token):
    return base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "==")


def wrong(token):
    """Write tokens that are nearly this one, and what never was one."""
    raw = raw_of(token)
    return {
        "cut": token[:-1],
        "grown": f"{token}A",
        "padded": f"{token}=",
        "in quotes": f'"{token}"',
        "two in one": f"{token}, Bearer {token}",
        "another case": token.swapcase(),
        "another prefix": token.replace("_sk_", "_pk_"),
        "its hash": hash_of(token).hex(),
        "no secret": written(raw[:8] + bytes(32)),
        "another number": written(bytes(8) + raw[8:]),
        "the last number": written(bytes([255] * 8) + raw[8:]),
        "SQL": "' OR '1'='1' --",
        "bytes": "\xff\xfe",
        "very long": "9" * 8_170,
    }


def headers_of(token):
    """Write headers that show a token, or nearly, as none may show it."""
    return {name: [f"Authorization: Bearer {each}"] for name, each in wrong(token).items()} | {
        "nothing": [],
        "an empty line": ["Authorization:"],
        "a scheme alone": ["Authorization: Bearer"],
        "another scheme": [f"Authorization: Basic {token}"],
        "no scheme": [f"Authorization: {token}"],
        "twice": [f"Authorization: Bearer {token}"] * 2,
        "another name": [f"X-Authorization: Bearer {token}", f"X-Api-Key: {token}", f"Cookie: Authorization={token}"],
        "an underscore": [f"Authorization_: Bearer {token}", f"HTTP_AUTHORIZATION: Bearer {token}"],
    }


@pytest.fixture
def dead(shared_server, world):
    """Keys of the organization that worked once: one was revoked, one has expired."""
    revoked = shared_server.key(world.organization, *SCOPES)
    keys.revoke(shared_server.store, revoked.key.key_id, shared_server.clock(), by="test")
    expired = shared_server.key(world.organization, *SCOPES, expires_at=shared_server.clock())
    return {
        name: [f"Authorization: Bearer {each.token}"] for name, each in (("revoked", revoked), ("expired", expired))
    }


def test_without_a_key_that_works_no_operation_is_done_or_described(shared_server, world, dead):
    before = rows(shared_server.store)
    for operation_id in WITH_KEY:
        method, path, body = request_of(operation_id, world.names)
        for name, headers in (headers_of(world.client.token) | dead).items():
            with Line(shared_server.url) as line:
                line.send(head(method, path, *headers, body=body))
                reply = line.reply()
            check_refusal(reply, 401, "unauthorized")
            assert reply.header("www-authenticate") == 'Bearer realm="sendmeter"', (operation_id, name)
    assert rows(shared_server.store) == before


def test_a_caller_without_a_key_learns_nothing_of_a_requests_form(shared_server, world):
    """401 comes before whatever else is wrong: else what is there could be learned without a key."""
    for operation_id in WITH_KEY:
        method, path, _ = request_of(operation_id, dict.fromkeys(world.names, "wrong"))
        for body, query in ((b"{", ""), (b"\xff", "wrong=1"), (b"", "cursor=A")):
            with Line(shared_server.url) as line:
                line.send(
                    head(
                        method,
                        f"{path}{'&' if '?' in path else '?'}{query}",
                        body=body if OPERATIONS[operation_id].bodies else None,
                    )
                )
                check_refusal(line.reply(), 401, "unauthorized")


def test_a_key_does_only_what_its_scopes_name(server):
    world = World.of(server)
    lacking = {
        scope: server.client(server.key(world.organization, *(each for each in SCOPES if each != scope)).token)
        for scope in SCOPES
    }
    reader = server.client(server.key(world.organization).token)
    before = rows(server.store)
    for operation_id in SCOPED:
        scope = OPERATIONS[operation_id].scope
        for client in (lacking[scope], reader):
            answer = world.ask(operation_id, client=client)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), operation_id
            assert scope in answer.json()["error"]["message"]
    assert rows(server.store) == before


@pytest.mark.parametrize("operation_id", WITH_KEY)
def test_a_key_needs_only_the_scope_that_the_contract_names(shared_server, world, operation_id):
    scopes = [scope] if (scope := OPERATIONS[operation_id].scope) else []
    client = shared_server.client(shared_server.key(world.organization, *scopes).token)
    # A key makes none with more than it has.
    options = {"json": {"name": "made", "scopes": scopes}} if operation_id == "keys.create" else {}
    assert world.ask(operation_id, client=client, **options).status_code < 300


def test_each_operation_that_changes_something_requires_a_scope():
    public = {"providers.receive"}
    writing = {name for name, operation in OPERATIONS.items() if operation.method != "GET"}
    assert {name for name in writing if OPERATIONS[name].scope is None} == public
    assert {name for name, operation in OPERATIONS.items() if operation.public} == public | {
        "health.live",
        "health.ready",
    }


SIGNATURES = ["", "\xff\xfe", "A", "=" * 88, "A" * 88, "A" * 8_000, "9" * 8_000, "None", "null", "' OR 1=1 --", "a,b"]


@pytest.fixture
def endpoints(world):
    """Where each provider reports to the organization."""
    setups = (
        {"provider": "twilio", "accountSid": f"AC{0:032}", "authToken": "token"},
        {"provider": "ses", "topicArn": "arn:aws:sns:us-east-1:123456789012:ses-events"},
    )
    for setup in setups:
        assert world.client.request("POST", "/organization/providers", json=setup).status_code == 201
    found = world.client.request("GET", "/organization/providers").json()["items"]
    return [f"/organization/providers/{each['provider']}/events/{each['endpointId']}" for each in found]


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda value: ascii(value)[:20])
def test_a_report_whose_signature_is_none_is_refused(shared_server, endpoints, signature):
    """An API key is no proof either. Each provider, each way to send it, each header that it looks at."""
    before = rows(shared_server.store)
    names = ("telnyx-signature-ed25519", "telnyx-timestamp", "x-twilio-signature")
    headers = [f"{name}: {signature}" for name in names]
    signed = {"Type": "Notification", "Signature": signature, "SignatureVersion": "1", "SigningCertURL": signature}
    bodies = {
        "application/json": json.dumps(signed).encode(),
        "application/x-www-form-urlencoded": b"MessageSid=SM" + b"0" * 32 + b"&MessageStatus=delivered",
        "text/plain": json.dumps(
            {**signed, "Message": "{}", "MessageId": "a", "Timestamp": "a", "TopicArn": "a"}
        ).encode(),
    }
    for path in endpoints:
        for media_type, body in bodies.items():
            lines = [*headers, f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
            with Line(shared_server.url) as line:
                line.send(head("POST", path, *lines) + body)
                check_refusal(line.reply(), 401, "unauthorized")
    assert rows(shared_server.store) == before


@pytest.fixture
def statements(store, monkeypatch):
    """What the database is asked, with its parameters."""
    asked, execute = [], store.database.execute_sql
    monkeypatch.setattr(
        store.database,
        "execute_sql",
        lambda sql, params=None, *rest: asked.append((sql, params)) or execute(sql, params, *rest),
    )
    return asked


def test_the_work_for_a_wrong_key_does_not_depend_on_how_wrong_it_is(server, statements):
    """Timing, by construction: one statement with one hash, whatever of the key is right, and whoever's it would be."""
    world = World.of(server)
    token = world.client.token
    raw = raw_of(token)
    guesses = {
        "all but the last bits": raw[:-1] + bytes([raw[-1] ^ 1]),
        "all but the first bits": raw[:8] + bytes([raw[8] ^ 1]) + raw[9:],
        "half": raw[:24] + bytes(16),
        "nothing but whose": raw[:8] + bytes(32),
        "not even whose": bytes(8) + raw[8:],
    }
    asked = {}
    for name, changed in guesses.items():
        client = server.client(written(changed))
        statements.clear()
        answer = client.usage()
        assert (answer.status_code, answer.json()["error"]["message"]) == (401, "The API key is not known.")
        asked[name] = [sql for sql, *_ in statements if "api_keys" in sql]
        assert len(statements) == len(asked[name]) == 1, (name, statements)
        assert client.token.removeprefix(PREFIX) not in repr(statements)
    assert len({tuple(sqls) for sqls in asked.values()}) == 1


def test_the_key_compared_does_not_follow_what_was_guessed():
    """Only hashes are compared, in the index and then in constant time: a guess that is nearly right is as far off."""
    token = written(bytes(range(40)))
    right = hash_of(token).hex()
    for place in range(len(PREFIX), len(token)):
        guess = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert hash_of(guess).hex()[:8] != right[:8]


def test_every_hash_is_compared_in_constant_time(sqlite_server, monkeypatch):
    _, client = sqlite_server.organization()
    compared = []
    constant = hmac.compare_digest
    monkeypatch.setattr(
        hmac, "compare_digest", lambda one, other: compared.append((one, other)) or constant(one, other)
    )
    assert client.usage().status_code == 200
    assert compared == [(hash_of(client.token).hex(),) * 2]


def test_no_key_is_kept_in_the_database_or_beside_it(sqlite_server):
    world = World.of(sqlite_server)
    made = world.ask("keys.create").json()["apiKey"]
    _, secret = read_token(made)
    raw = raw_of(made)[8:]
    sqlite_server.store.write(lambda: None)
    path = Path(sqlite_server.store.path)
    kept = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert secret.hex().encode() in kept
    for text in (made.encode(), made[len(PREFIX) + 11 :].encode(), raw, raw.hex().encode(), b"KEY_of_the_tests"):
        assert text not in kept


@pytest.mark.skipif(not ROUNDS, reason="a stopwatch is for the long form alone (make proof)")
def test_the_time_for_a_wrong_key_does_not_reveal_how_wrong_it_is(sqlite_store, clock):
    """Right but for its end, wrong from its beginning, and nobody's: taken in turns, their medians are as one."""
    from tests.services.use_cases import founded

    organization = founded(sqlite_store)
    made = keys.create(sqlite_store, organization.number, "a", (), clock(), by="test")
    raw = raw_of(made.token)
    kinds = [raw[:-1] + bytes([raw[-1] ^ 1]), raw[:8] + bytes(32), bytes(8) + raw[8:]]
    tokens = [written(kind) for kind in kinds]
    times = [[] for _ in tokens]
    for _ in range(100 * ROUNDS):
        for token, taken in zip(tokens, times, strict=True):
            begun = time.perf_counter_ns()
            assert keys.known(sqlite_store, token, clock()) is None
            taken.append(time.perf_counter_ns() - begun)
    medians = [statistics.median(taken) for taken in times]
    print(f"median ns of a wrong end, a wrong secret, nobody's: {medians}")  # noqa: T201 - what was measured
    assert max(medians) < 1.1 * min(medians), medians
