"""A cursor is what the server made, to the last bit, for this listing of this organization; nothing else is one."""

import base64
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sendmeter.domain.cursors import Page, cursor_of, page_of, read_cursor

PROVEN = settings(max_examples=200, derandomize=True, deadline=None)
KEY, OTHER_KEY = bytes(range(32)), bytes(32)
LISTING = ("events.search", "SMS", None, None)
POSITION = [1_795_176_000_000_000, "gateway", "sms-1"]
TEXTS = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=128)


@PROVEN
@given(st.binary(min_size=32, max_size=32), TEXTS, st.lists(st.one_of(st.integers(-(2**63), 2**63), TEXTS), max_size=4))
def test_a_cursor_reads_back_to_its_position(key, name, position):
    cursor = cursor_of(key, (name,), position)
    assert read_cursor(key, (name,), cursor) == position
    assert set(cursor) <= {*string.ascii_letters, *string.digits, "-", "_"}, "it would have to be escaped in a URL"


def test_a_cursor_that_was_given_out_before_an_upgrade_goes_on_after_it():
    given = "xNmWfhcC7oFnIm6ueqP0FlsxNzk1MTc2MDAwMDAwMDAwLCJnYXRld2F5Iiwic21zLTEiXQ"
    assert read_cursor(KEY, LISTING, given) == POSITION


def test_the_longest_position_fits_the_contracts_cursor():
    assert len(cursor_of(KEY, LISTING, [9 * 10**15, "\\" * 128, "x" * 128])) <= 600


def test_every_change_of_every_character_makes_it_none():
    cursor = cursor_of(KEY, LISTING, POSITION)
    for place, character in enumerate(cursor):
        for other in {*string.ascii_letters, *string.digits, *"-_+/=.! \n~\0é"} - {character}:
            with pytest.raises(ValueError, match="is not a cursor of this listing"):
                read_cursor(KEY, LISTING, cursor[:place] + other + cursor[place + 1 :])


def test_a_character_more_or_less_makes_it_none():
    cursor = cursor_of(KEY, LISTING, POSITION)
    changed = [cursor[:place] + cursor[place + 1 :] for place in range(len(cursor))]
    changed += [cursor[:place] + more + cursor[place:] for place in range(len(cursor) + 1) for more in "A= !\n"]
    for each in changed:
        with pytest.raises(ValueError, match="is not a cursor"):
            read_cursor(KEY, LISTING, each)


@pytest.mark.parametrize(
    "listing",
    [
        ("events.search", "CALL", None, None),
        ("events.search", None, "SMS", None),
        ("events.search", "SMS", None),
        ("events.search", "SMS", None, "2026-11-20"),
        ("keys.search",),
        (),
    ],
)
def test_a_cursor_of_another_listing_or_with_other_filters_is_none(listing):
    with pytest.raises(ValueError, match="is not a cursor"):
        read_cursor(KEY, listing, cursor_of(KEY, LISTING, POSITION))


def test_a_cursor_of_another_organization_is_none():
    with pytest.raises(ValueError, match="is not a cursor"):
        read_cursor(KEY, LISTING, cursor_of(OTHER_KEY, LISTING, POSITION))


@pytest.mark.parametrize("cursor", ["", "A", "AAAA", "ü", "\ud800", "=", "A" * 600, "bnVsbA"])
def test_what_was_never_a_cursor_is_none_and_nothing_else_happens(cursor):
    with pytest.raises(ValueError, match="is not a cursor"):
        read_cursor(KEY, LISTING, cursor)


def test_a_position_under_a_signature_that_was_guessed_is_not_read():
    forged = base64.urlsafe_b64encode(bytes(16) + b'[0,"api","x"]').decode().rstrip("=")
    with pytest.raises(ValueError, match="is not a cursor"):
        read_cursor(KEY, LISTING, forged)


@pytest.mark.parametrize(("found", "limit", "goes_on"), [(0, 2, False), (2, 2, False), (3, 2, True)])
def test_a_page_goes_on_only_where_more_was_found_than_it_holds(found, limit, goes_on):
    page = page_of(KEY, LISTING, list(range(found)), limit, lambda item: [item])
    assert page.items == list(range(min(found, limit)))
    assert (page.next_cursor is not None) is goes_on
    if page.next_cursor:
        assert read_cursor(KEY, LISTING, page.next_cursor) == [limit - 1]


def test_the_last_page_has_no_next_cursor():
    assert Page([1], None).to_json(lambda item: {"x": item}) == {"items": [{"x": 1}]}
    assert Page([], "c").to_json(dict) == {"items": [], "nextCursor": "c"}
