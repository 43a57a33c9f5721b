"""Tokens read back to what they were made of, and whatever else is shown never fails to be read."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.keys import PREFIX, Key, hash_of, read_token, token_of

PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SECRETS = st.binary(min_size=32, max_size=32)
NUMBERS = st.integers(0, 2**63 - 1)
GOOD = token_of(2**62 + 5, bytes(range(32)))
KEY = Key("key_1", 1, "acc_1", "gateway", ("events:write",), NOON, None, None)


@PROVEN
@given(NUMBERS, SECRETS)
@example(0, b"\0" * 32)
@example(2**63 - 1, b"\xff" * 32)
def test_a_token_reads_back_to_its_organization_and_its_hash(number, secret):
    token = token_of(number, secret)
    assert read_token(token) == (number, hashlib.sha256(token.encode()).digest())
    assert token.startswith("sendmeter_sk_")
    assert token.removeprefix("sendmeter_sk_").replace("-", "").replace("_", "").isalnum()


@PROVEN
@given(NUMBERS, SECRETS, SECRETS)
def test_two_secrets_never_make_one_token_or_one_hash(number, one, other):
    tokens = {token_of(number, secret) for secret in (one, other)}
    assert len(tokens) == len({hash_of(token) for token in tokens}) == len({one, other})


@pytest.mark.parametrize("position", range(len(PREFIX), len(GOOD)))
def test_a_token_with_any_other_character_has_another_hash(position):
    read = read_token(GOOD[:position] + ("A" if GOOD[position] != "A" else "B") + GOOD[position + 1 :])
    assert read is None or read[1] != hash_of(GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PREFIX,
        "sendmeter",
        GOOD[:-1],
        GOOD + "A",
        GOOD + "=",
        GOOD + "==",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.removeprefix(PREFIX),
        "sendmeter-sk-" + GOOD[len(PREFIX) :],
        "Bearer " + GOOD,
        PREFIX + "=" * 54,
        PREFIX + "." * 54,
        PREFIX + "\u0660" * 54,
        *(GOOD[:20] + wrong + GOOD[21:] for wrong in "=+/. \n\0é\ud800"),
        *(GOOD[:-1] + wrong for wrong in "=+/. \n\0é\ud800"),
        GOOD[:-2] + "==",
    ],
)
def test_what_is_no_token_is_nothing(text):
    assert read_token(text) is None


@settings(PROVEN, max_examples=500)
@given(
    st.text(max_size=80) | st.text(max_size=60).map(PREFIX.__add__) | st.text("Ab9-_+/=\n\0é", min_size=54, max_size=54)
)
@example(PREFIX + "_" * 54)
@example(PREFIX + "A" * 10**6)
def test_no_text_whatever_fails_to_be_read(text):
    for shown in (text, PREFIX + text):
        read = read_token(shown)
        assert read is None or (0 <= read[0] < 2**64 and read[1] == hash_of(shown))


def changed(**changes):
    return Key(**{**{name: getattr(KEY, name) for name in Key.__slots__}, **changes})


def test_a_key_without_an_end_works():
    assert KEY.refused(NOON + timedelta(days=36_500)) is None


def test_a_key_works_until_the_instant_of_its_expiry():
    expiring = changed(expires_at=NOON)
    assert expiring.refused(NOON - TICK) is None
    assert expiring.refused(NOON) == "The API key has expired."


@pytest.mark.parametrize("expires_at", [None, NOON - TICK, NOON + TICK])
def test_a_revoked_key_never_works_again(expires_at):
    revoked = changed(revoked_at=NOON, expires_at=expires_at)
    for now in (NOON - TICK, NOON, NOON + TICK):
        assert revoked.refused(now) == "The API key was revoked."


def test_a_key_is_told_without_its_secret_and_without_times_that_it_has_not():
    told = {
        "keyId": "key_1",
        "accountId": "acc_1",
        "name": "gateway",
        "scopes": ["events:write"],
        "createdAt": "2026-11-20T12:00:00Z",
    }
    assert KEY.to_json() == told
    ended = changed(expires_at=NOON + TICK, revoked_at=NOON)
    times = {"expiresAt": "2026-11-20T12:00:00.000001Z", "revokedAt": "2026-11-20T12:00:00Z"}
    assert ended.to_json() == told | times
