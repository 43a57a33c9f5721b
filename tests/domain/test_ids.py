"""Ids are UUIDv7 in base 32, sort by time, and an organization's number is read from its id alone."""

import base64
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sendmeter.domain.ids import new_id, organization_number

PROVEN = settings(max_examples=300, derandomize=True, deadline=None)
TIMES = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - made aware below
    datetime(9999, 12, 31),  # noqa: DTZ001 - made aware below
    timezones=st.just(UTC),
)
ENTROPY = st.binary(min_size=10, max_size=10)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def uuid_of(text):
    return uuid.UUID(bytes=base64.b32hexdecode(text.partition("_")[2].upper() + "======"))


@PROVEN
@given(TIMES, ENTROPY)
@example(datetime(1970, 1, 1, tzinfo=UTC), b"\0" * 10)
@example(datetime(9999, 12, 31, tzinfo=UTC), b"\xff" * 10)
def test_an_id_is_a_uuid_of_version_7_with_its_time(now, entropy):
    made = uuid_of(new_id("org", now, entropy))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@pytest.mark.parametrize("bit", range(74))
def test_no_random_bit_is_wasted(bit):
    assert new_id("acc", NOON, (1 << bit).to_bytes(10)) != new_id("acc", NOON, bytes(10))


@PROVEN
@given(TIMES.filter(lambda now: now.year < 9000), st.integers(1, 10**13), ENTROPY, ENTROPY)
@example(NOON, 1, b"\xff" * 10, b"\0" * 10)
def test_ids_sort_by_time(now, milliseconds, entropy, more_entropy):
    later = now + timedelta(milliseconds=milliseconds)
    assert new_id("key", now, entropy) < new_id("key", later, more_entropy)


@PROVEN
@given(st.sampled_from(["org", "acc", "key", "hold", "trk"]), TIMES, ENTROPY)
def test_an_id_has_its_prefix_and_26_lower_case_characters(prefix, now, entropy):
    assert re.fullmatch(prefix + "_[0-9a-v]{26}", new_id(prefix, now, entropy))


@PROVEN
@given(TIMES, ENTROPY)
@example(datetime(1970, 1, 1, tzinfo=UTC), b"\0" * 10)
@example(datetime(9999, 12, 31, tzinfo=UTC), b"\xff" * 10)
def test_an_organizations_number_is_the_first_63_bits_of_its_id(now, entropy):
    made = new_id("org", now, entropy)
    assert organization_number(made) == uuid_of(made).int >> 65
    assert 1 <= organization_number(made) <= 2**63 - 1


GOOD = new_id("org", NOON, b"0123456789")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "org",
        "org_",
        GOOD[4:],
        GOOD[:-1],
        GOOD + "0",
        GOOD + "0" * 8,
        GOOD + "\n",
        GOOD[:-1] + "\0",
        " " + GOOD,
        GOOD.upper(),
        "org_" + GOOD[4:].upper(),
        "ORG_" + GOOD[4:],
        "acc_" + GOOD[4:],
        "org-" + GOOD[4:],
        "org_org_" + GOOD[8:],
        "org_" + "w" * 26,
        "org_" + "=" * 26,
        "org_" + "\u0660" * 26,
        "org_" + "0" * 25 + "\ud800",
    ],
)
def test_what_is_no_organization_id_has_no_number(text):
    assert organization_number(text) is None


@settings(PROVEN, max_examples=500)
@given(
    st.one_of(st.text(max_size=40), st.text("0123456789abcdefghijklmnopqrstuvwxyz_", max_size=30).map("org_".__add__))
)
def test_no_text_whatever_fails_to_be_read(text):
    number = organization_number(text)
    assert number is None or 0 <= number <= 2**63 - 1
