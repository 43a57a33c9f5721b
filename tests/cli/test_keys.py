"""`sendmeter keys`: made with scopes and an end, listed without the secret, revoked at once."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.live import Client, run_cli, run_json, served_process

EMAIL = {"channel": "EMAIL"}


def test_a_key_does_what_its_scopes_say_and_stops_within_a_second_of_its_revocation(any_shop, tmp_path):
    url, organization = any_shop["url"], any_shop["organizationId"]
    create = ("keys", "create", "--organization", organization)
    with served_process(url, tmp_path, "--workers", "2") as server:
        reader = run_json(*create, "--name", "page", database_url=url)
        writer = run_json(*create, "--name", "gateway", "--scope", "events:write", database_url=url)
        assert (reader["scopes"], writer["scopes"]) == ([], ["events:write"])
        assert reader["accountId"] == writer["accountId"] == any_shop["accountId"]
        reading, writing = Client(server.url, reader["apiKey"]), Client(server.url, writer["apiKey"])
        assert reading.usage().status_code == 200
        assert reading.record({"id": "1", **EMAIL}).status_code == 403
        assert writing.record({"id": "1", **EMAIL}).status_code == 200
        revoked = run_json("keys", "revoke", writer["keyId"], database_url=url)
        assert revoked["revokedAt"]
        revoked_at = time.monotonic()
        while time.monotonic() < revoked_at + 1:
            writing.usage()
        answers = [_ask_anew(server.url, writer["apiKey"]) for _ in range(8)]
        assert {answer.status_code for answer in answers} == {401}
        refused = answers[0]
        assert refused.json()["error"]["message"] == "The API key was revoked."
        assert reading.usage().json()["messageUsage"] == 1
        reading.close()
        writing.close()
    again = run_json("keys", "revoke", writer["keyId"], "--organization", organization, database_url=url)
    assert again == revoked, "revoked twice, the first instant stays"


def _ask_anew(url, token):
    """Ask over a connection of its own, which any of the processes may take."""
    client = Client(url, token)
    try:
        return client.usage()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("given", "days"), [("90d", 90), ("9999h", 9999 / 24), ("2999-01-31", None), ("2999-01-31T12:00:00.5+02:00", None)]
)
def test_a_key_ends_when_its_option_says(given, days, shop, run_here):
    create = ("keys", "create", "--organization", shop["organizationId"], "--name", "short", "--json")
    expires = json.loads(run_here(*create, "--expires", given).stdout)["expiresAt"]
    if days is None:
        assert expires == {"2999-01-31": "2999-01-31T00:00:00Z"}.get(given, "2999-01-31T10:00:00.500000Z")
    else:
        ahead = datetime.fromisoformat(expires) - datetime.now(UTC)
        assert timedelta(days=days, seconds=-60) < ahead <= timedelta(days=days)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--expires", "2020-01-01"], "2020-01-01T00:00:00Z is past"),
        (["--expires", "0d"], "is past"),
        (["--expires", "90"], "or 90d"),
        (["--expires", "-5d"], "or 90d"),
        (["--scope", "everything"], "events:write"),
        (["--name", "a\tb"], "printable characters"),
        (["--name", " "], "--name"),
        (["--name", "x" * 101], "1 to 100"),
    ],
)
def test_a_wrong_option_is_refused_and_makes_no_key(options, said, shop, run_here):
    told = run_here("keys", "create", "--organization", shop["organizationId"], "--name", "key", *options)
    assert told.exit_code == 2, told.stdout
    assert said in " ".join(told.stderr.split())
    assert len(json.loads(run_here("keys", "list", "--json").stdout)) == 1


def test_keys_are_listed_with_their_state_and_of_one_organization_where_asked(shop):
    url, organization = shop["url"], shop["organizationId"]
    other = run_json("organizations", "create", "--name", "Other", database_url=url)
    create = ("keys", "create", "--organization", organization)
    gone = run_json(*create, "--name", "gone", database_url=url)
    scopes = [part for scope in ("holds:write", "events:read", "holds:write") for part in ("--scope", scope)]
    kept = run_json(*create, "--name", "kept", *scopes, "--expires", "1d", database_url=url)
    assert kept["scopes"] == ["holds:write", "events:read"]
    run_cli("keys", "revoke", gone["keyId"], database_url=url)
    mine = run_json("keys", "list", "--organization", organization, database_url=url)
    assert [(key["name"], key["revokedAt"] is not None) for key in mine] == [
        ("first key", False),
        ("gone", True),
        ("kept", False),
    ]
    assert all("apiKey" not in key for key in mine)
    everyone = run_cli("keys", "list", database_url=url).stdout.splitlines()
    assert len(everyone) == 4
    assert [line.split()[1] for line in everyone if gone["keyId"] in line] == ["revoked"]
    assert len([line for line in everyone if re.search(r" works +first key ", line)]) == 2
    foreign = ("keys", "revoke", kept["keyId"], "--organization", other["organizationId"])
    assert "There is no key" in run_cli(*foreign, database_url=url, expected=1).stderr


def test_who_names_an_unknown_organization_or_key_is_told_how_to_list_them(shop):
    create = ("keys", "create", "--organization", "org_nobody", "--name", "key")
    told = run_cli(*create, database_url=shop["url"], expected=1).stderr
    assert "There is no organization 'org_nobody'" in told
    assert "sendmeter organizations list" in told
    told = run_cli("keys", "revoke", "key_nobody", database_url=shop["url"], expected=1).stderr
    assert "sendmeter keys list" in told


def test_a_first_operator_key_is_made_here_and_administrates_over_http_as_its_help_says(shop, run_here, tmp_path):
    assert "with --scope operator" in " ".join(run_here("keys", "create", "--help").stdout.split())
    create = ("keys", "create", "--organization", shop["organizationId"], "--name", "operator", "--json")
    made = json.loads(run_here(*create, "--scope", "operator").stdout)
    with served_process(shop["url"], tmp_path) as server:
        operator, first = Client(server.url, made["apiKey"]), Client(server.url, shop["apiKey"])
        listed = operator.request("GET", "/organizations")
        assert [each["organizationId"] for each in listed.json()["items"]] == [shop["organizationId"]]
        assert first.request("GET", "/organizations").status_code == 403
        operator.close()
        first.close()
