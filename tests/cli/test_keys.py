"""`sendmeter keys`: who may ask, shown once, and revoked at once."""

import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.live import run_cli, run_json, served_process

SCOPES = ["events:write", "events:read", "holds:write", "limits:write", "keys:write", "providers:write", "operator"]


def ask(server, token):
    return httpx.get(f"{server.url}/organization/usage", headers={"authorization": f"Bearer {token}"}).status_code


def make(founded, *arguments):
    return run_json(
        "keys", "create", "--organization", founded.organization_id, "--name", "gateway", *arguments,
        database_url=founded.store.url,
    )  # fmt: skip


def test_a_key_may_do_what_its_scopes_say_and_no_more(founded, tmp_path):
    writer, reader = make(founded, "--scope", "events:write")["apiKey"], make(founded)["apiKey"]
    with served_process(founded.store.url, tmp_path) as server:
        statuses = [
            httpx.post(
                f"{server.url}/organization/usage/events",
                headers={"authorization": f"Bearer {token}"},
                json={"events": [{"id": "1", "channel": "EMAIL"}]},
            ).status_code
            for token in (reader, writer)
        ]
        assert [ask(server, reader), ask(server, writer)] == [200, 200]
    assert statuses == [403, 202]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_revoked_key_stops_working_within_a_second_in_a_running_server(founded, tmp_path, workers):
    made, other = make(founded), make(founded)
    with served_process(founded.store.url, tmp_path, "--workers", workers) as server:
        assert [ask(server, made["apiKey"]) for _ in range(8)] == [200] * 8
        run_cli("keys", "revoke", made["keyId"], database_url=founded.store.url)
        revoked_at = time.monotonic()
        while time.monotonic() < revoked_at + 1:
            ask(server, made["apiKey"])
        assert [ask(server, made["apiKey"]) for _ in range(8)] == [401] * 8
        assert ask(server, other["apiKey"]) == 200


def test_a_token_is_shown_once_and_never_again(founded):
    token = make(founded)["apiKey"]
    options = {"database_url": founded.store.url}
    told = run_cli("keys", "list", **options).stdout + run_cli("keys", "list", "--json", **options).stdout
    key_id = run_json("keys", "list", **options)[-1]["keyId"]
    told += run_cli("keys", "revoke", key_id, "--json", **options).stdout
    assert key_id in told
    assert token.removeprefix("sendmeter_sk_")[11:] not in told


def test_a_token_is_in_no_file_of_the_database(sqlite_founded, tmp_path):
    token = make(sqlite_founded)["apiKey"]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"gateway" in written
    assert token.removeprefix("sendmeter_sk_")[11:].encode() not in written


def test_a_key_has_its_scopes_once_each_in_the_list_and_in_what_is_told(run_here):
    organization = listed(run_here, "organizations")[0]["organizationId"]
    scopes = [word for scope in [*SCOPES, SCOPES[0]] for word in ("--scope", scope)]
    told = run_here("keys", "create", "--organization", organization, "--name", "all", *scopes).stdout
    assert f"It may read usage, {', '.join(SCOPES)}." in told
    assert listed(run_here, "keys")[-1]["scopes"] == SCOPES


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90d", lambda now: now + timedelta(days=90)),
        ("12h", lambda now: now + timedelta(hours=12)),
        ("2199-12-31", lambda _: datetime(2199, 12, 31, tzinfo=UTC)),
        ("2199-12-31T12:00:00+02:00", lambda _: datetime(2199, 12, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_key_expires_when_the_option_says(run_here, written, expected):
    organization = listed(run_here, "organizations")[0]["organizationId"]
    run_here("keys", "create", "--organization", organization, "--name", "a", "--expires", written)
    made = listed(run_here, "keys")[-1]
    assert abs(datetime.fromisoformat(made["expiresAt"]) - expected(datetime.now(UTC))) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--expires", "2020-01-01"], "2020-01-01T00:00:00Z is past"),
        (["--expires", "0d"], "is past"),
        (["--expires", "soon"], "Write it like 2026-12-31, 2026-12-31T12:00:00Z or 90d"),
        (["--expires", "2026-11-31"], "is not a date of the calendar"),
        (["--scope", "events:erase"], "'events:write', 'events:read'"),
        (["--name", "a\nb"], "Write 1 to 100 printable characters"),
        (["--name", ""], "Write 1 to 100 printable characters"),
    ],
)
def test_a_wrong_option_is_refused_saying_what_to_write_and_makes_no_key(run_here, arguments, told):
    organization = listed(run_here, "organizations")[0]["organizationId"]
    done = run_here("keys", "create", "--organization", organization, "--name", "a", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(listed(run_here, "keys")) == 1


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["create", "--name", "a"], ["revoke", "key_x"]],
)
def test_an_unknown_organization_is_named_with_how_to_find_the_right_one(run_here, arguments):
    done = run_here("keys", *arguments, "--organization", "org_nobody")
    assert done.exit_code == 1
    assert "There is no organization 'org_nobody'." in done.stderr
    assert "sendmeter organizations list" in done.stderr


def test_a_key_of_another_organization_is_not_revoked_where_one_is_named(run_here):
    first = listed(run_here, "organizations")[0]["organizationId"]
    run_here("organizations", "create", "--name", "Other")
    of_other = listed(run_here, "keys")[-1]["keyId"]
    done = run_here("keys", "revoke", of_other, "--organization", first)
    assert done.exit_code == 1
    assert f"There is no key '{of_other}'." in done.stderr
    assert [key["revokedAt"] for key in listed(run_here, "keys")] == [None, None]


def test_revoking_twice_is_a_success_and_keeps_the_first_time(run_here):
    listed(run_here, "organizations")
    key_id = listed(run_here, "keys")[0]["keyId"]
    assert run_here("keys", "revoke", key_id).stdout == f"Revoked key {key_id} (first key).\n"
    first = listed(run_here, "keys")
    again = run_here("keys", "revoke", key_id, "--json")
    assert again.exit_code == 0
    assert listed(run_here, "keys") == first
    assert first[0]["revokedAt"] is not None
    assert "revoked" in run_here("keys", "list").stdout


def test_the_list_for_people_says_when_a_key_expires_and_whose_it_is(run_here):
    organization = listed(run_here, "organizations")[0]["organizationId"]
    run_here("keys", "create", "--organization", organization, "--name", "a", "--expires", "2199-12-31")
    told = run_here("keys", "list").stdout
    assert "2199-12-31" in told
    assert organization in told


def listed(run_here, what):
    """List keys or organizations; make one where there is none."""
    if "[]" in run_here("organizations", "list", "--json").stdout:
        run_here("organizations", "create", "--name", "A")
    return json.loads(run_here(what, "list", "--json").stdout)
