"""A provider that fails is left alone for longer each time, a price is asked for until it is there."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.providers import (
    MOST_QUESTIONS,
    Trouble,
    endpoint_id_of,
    endpoint_url,
    next_question,
    pause_after,
    read_endpoint_id,
)

PROVEN = settings(max_examples=100, derandomize=True, deadline=None)
SECRET = bytes(range(16))
SECONDS = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (10, 900), (60, 900), (10**6, 900)]
)
def test_a_provider_that_fails_is_asked_again_after_twice_as_long_up_to_a_quarter_of_an_hour(failures, seconds):
    assert pause_after(failures, None, 0) == seconds * SECONDS
    assert pause_after(failures, None, 0.5) == seconds * SECONDS * 0.75


@pytest.mark.parametrize(
    ("asked", "seconds"), [(0, 20), (19, 20), (21, 21), (3_599, 3_599), (3_600, 3_600), (3_601, 3_600), (10**6, 3_600)]
)
def test_a_provider_that_says_when_to_come_again_is_left_alone_so_long_but_an_hour_at_most(asked, seconds):
    assert pause_after(3, asked * SECONDS, 0) == seconds * SECONDS


def test_a_price_is_asked_for_again_after_pauses_that_grow_to_eight_hours_and_given_up_after_sixty_questions():
    pauses = [next_question(asked) for asked in range(1, MOST_QUESTIONS)]
    minutes = [pause / timedelta(minutes=1) for pause in pauses]
    assert minutes[:9] == [2, 5, 15, 30, 60, 120, 240, 480, 480]
    assert set(minutes[9:]) == {480}
    assert next_question(MOST_QUESTIONS) is None
    assert next_question(MOST_QUESTIONS + 1) is None


@PROVEN
@given(st.integers(0, 2**63 - 1), st.binary(min_size=16, max_size=16))
def test_an_endpoint_names_its_organization_in_what_every_provider_keeps_in_a_url(number, secret):
    endpoint_id = endpoint_id_of(number, secret)
    assert read_endpoint_id(endpoint_id) == number
    assert endpoint_id == endpoint_id.lower()
    assert endpoint_id.removeprefix("ep_").isalnum()


def test_an_endpoint_that_was_given_to_a_provider_before_an_upgrade_is_known_after_it():
    assert endpoint_id_of(1_000, SECRET) == "ep_00000000001ug001081g81860s40i2gb1g6gs3o"


@pytest.mark.parametrize(
    "endpoint_id",
    [
        "",
        "ep_",
        "ep_1",
        endpoint_id_of(1, SECRET)[3:],
        endpoint_id_of(1, SECRET).upper(),
        endpoint_id_of(1, SECRET) + "0",
    ],
)
def test_what_is_no_endpoint_is_nothing(endpoint_id):
    assert read_endpoint_id(endpoint_id) is None


@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_an_endpoint_of_a_number_that_no_store_keeps_is_nothing(number):
    assert read_endpoint_id(endpoint_id_of(number, SECRET)) is None


@pytest.mark.parametrize("public_url", ["https://meter.example/PREFIX", "https://meter.example/PREFIX/"])
def test_the_url_that_a_provider_reports_to_is_the_contracts(public_url):
    url = endpoint_url(public_url, "twilio", "ep_x")
    assert url == "https://meter.example/PREFIX/organization/providers/twilio/events/ep_x"


def test_trouble_is_told_with_its_code_and_its_time():
    trouble = Trouble("20003", "Twilio refuses the credentials.", datetime(2026, 11, 20, 12, tzinfo=UTC))
    told = {"code": "20003", "message": "Twilio refuses the credentials.", "at": "2026-11-20T12:00:00Z"}
    assert trouble.to_json() == told
