"""`sendmeter providers`: who tells what messages cost; secrets are never shown."""

import json

import pytest
from cryptography.fernet import Fernet

from tests.live import run_cli, run_json

TOPIC = "arn:aws:sns:eu-central-1:123456789012:ses-events"
SID = f"AC{7:032x}"
TOKEN = "s3cret-token-of-twilio"
PUBLIC_KEY = "A" * 43 + "="


@pytest.fixture
def with_key(monkeypatch):
    key = Fernet.generate_key().decode()
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", key)
    monkeypatch.setenv("SENDMETER_PUBLIC_URL", "https://usage.example.com/")
    return key


def add(run_here, shop, provider, *options, stdin=None):
    return run_here("providers", "add", provider, "--organization", shop["organizationId"], *options, stdin=stdin)


def test_setting_up_prints_the_url_to_paste(shop, run_here, with_key):
    done = add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", TOKEN)
    assert done.exit_code == 0, done.stderr
    assert "https://usage.example.com/organization/providers/twilio/events/ep_" in done.stdout
    assert "StatusCallback" in done.stdout
    again = add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", "another", "--json")
    made = json.loads(again.stdout)
    assert made["endpointUrl"] in done.stdout, "the URL is another one after a change"
    assert (made["accountSid"], made["asksForPrices"], made["records"]) == (SID, True, False)


def test_no_secret_is_shown_or_stored_in_plain_text(shop, run_here, with_key, monkeypatch, tmp_path):
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("TELNYX_API_KEY", TOKEN)
    printed = [
        add(run_here, shop, "twilio", "--account-sid", SID),
        add(run_here, shop, "telnyx", "--public-key", PUBLIC_KEY),
    ]
    printed += [run_here("providers", "status"), run_here("providers", "status", "--json")]
    printed.append(run_here("audit", "--organization", shop["organizationId"], "--json"))
    assert [each.exit_code for each in printed] == [0] * 5
    for each in printed:
        assert TOKEN not in each.stdout + each.stderr
    assert "authToken" in printed[-1].stdout, "that there is a secret is no secret"
    for file in tmp_path.iterdir():
        assert TOKEN.encode() not in file.read_bytes()


def test_an_auth_token_that_is_not_given_is_asked_for(shop, run_here, with_key):
    done = add(run_here, shop, "twilio", "--account-sid", SID, stdin=f"{TOKEN}\n")
    assert done.exit_code == 0, done.stderr
    assert add(run_here, shop, "twilio", "--account-sid", SID, stdin="").exit_code == 2


@pytest.mark.parametrize(
    ("provider", "options", "said"),
    [
        ("twilio", ["--account-sid", "SK1", "--auth-token", TOKEN], "accountSid"),
        ("telnyx", ["--public-key", "short"], "publicKey"),
        ("ses", ["--topic-arn", "ses-events"], "topicArn"),
    ],
)
def test_what_the_contract_refuses_is_not_set_up(provider, options, said, shop, run_here, with_key):
    done = add(run_here, shop, provider, *options)
    assert done.exit_code == 1
    assert said in done.stderr
    assert TOKEN not in done.stderr


def test_without_an_encryption_key_no_secret_is_stored(shop, run_here):
    done = add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", TOKEN)
    assert done.exit_code == 1
    assert "SENDMETER_SECRETS_KEY" in done.stderr
    assert "sendmeter providers new-key" in done.stderr
    assert add(run_here, shop, "ses", "--topic-arn", TOPIC).exit_code == 0, "what has no secret wants a key"


def test_an_invalid_encryption_key_is_reported_without_being_shown(shop, run_here, monkeypatch):
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", "my-secret-key")
    done = add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", TOKEN)
    assert done.exit_code == 1
    assert "SENDMETER_SECRETS_KEY is not a key that" in done.stderr
    assert "my-secret-key" not in done.stderr


def test_a_new_key_encrypts_what_the_old_one_did(shop, run_here, with_key, monkeypatch):
    add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", TOKEN)
    new = run_here("providers", "new-key").stdout.strip()
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", f"{new},{with_key}")
    assert "the secrets of 1 provider " in run_here("providers", "reseal").stdout
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", new)
    assert run_here("providers", "reseal").exit_code == 0
    monkeypatch.setenv("SENDMETER_SECRETS_KEY", with_key)
    refused = run_here("providers", "reseal")
    assert refused.exit_code == 1
    assert "SENDMETER_SECRETS_KEY has not their key" in refused.stderr


def test_the_status_shows_how_many_costs_are_pending_and_since_when(shop, run_here, with_key, tmp_path):
    add(run_here, shop, "twilio", "--account-sid", SID, "--auth-token", TOKEN)
    sent = {"id": "s", "channel": "SMS", "provider": "twilio", "providerMessageId": f"SM{1:032x}"}
    (tmp_path / "sent.ndjson").write_text(json.dumps(sent))
    imported = run_here("import", "sent.ndjson", "--organization", shop["organizationId"])
    assert imported.exit_code == 0, imported.stderr
    (found,) = json.loads(run_here("providers", "status", "--json").stdout)
    assert (found["pendingCosts"], found["state"], found["lastTrouble"]) == (1, "ok", None)
    assert found["oldestPendingCost"]
    assert "1 pending, the oldest sent at" in run_here("providers", "status").stdout


def test_a_removed_provider_is_not_shown_and_not_removed_twice(shop, run_here, with_key):
    add(run_here, shop, "ses", "--topic-arn", TOPIC)
    options = ("--organization", shop["organizationId"])
    assert "Removed ses" in run_here("providers", "remove", "ses", *options).stdout
    assert run_here("providers", "remove", "ses", *options).exit_code == 1
    assert "There are none" in run_here("providers", "status").stderr


def test_it_works_in_a_process_of_its_own_on_each_database(any_shop, tmp_path):
    variables = {"SENDMETER_SECRETS_KEY": Fernet.generate_key().decode(), "TWILIO_AUTH_TOKEN": TOKEN}
    options = ("--organization", any_shop["organizationId"], "--account-sid", SID, "--records")
    made = run_json("providers", "add", "twilio", *options, database_url=any_shop["url"], environment=variables)
    assert made["records"]
    assert TOKEN not in run_cli("providers", "status", database_url=any_shop["url"], environment=variables).stdout
