"""Searching: all that was recorded, newest first, each once, whatever is recorded between two pages."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from sendmeter.domain.channels import CHANNELS
from sendmeter.errors import InvalidRequest, NotFound
from sendmeter.services import corrections, events
from sendmeter.services.events import Search
from tests.live import NOON
from tests.services.use_cases import USD, check, entry, founded, record

START = datetime(2026, 11, 1, tzinfo=UTC)
# So few instants that most are shared; ids and sources that sort one way as bytes and another way as words.
INSTANTS = [START + timedelta(hours=hour) for hour in (0, 1, 2, 3, 100, 200)]
SOURCES, IDS = ["api", "Api", "gateway", "a~", "_"], [f"{letter}{number}" for letter in "aZ_.~" for number in range(9)]


def found(store, organization, *, limit=7, cursor=None, **wanted):
    """Follow the cursors to the end; give the keys, page by page."""
    pages = []
    while True:
        page = events.search(store, organization.number, Search(**wanted), cursor, limit)
        pages.append([each.event.key for each in page.items])
        cursor = page.next_cursor
        if cursor is None:
            return pages


def flat(pages):
    return [key for page in pages for key in page]


@pytest.fixture
def organization(store):
    return founded(store)


@pytest.fixture
def recorded(store, organization):
    """Record events with many ties, and list them as a search of all of them should."""
    random_ = random.Random(5)
    keys = random_.sample([(source, event_id) for source in SOURCES for event_id in IDS], 120)
    told = [
        {
            "id": event_id,
            "source": source,
            "channel": random_.choice(CHANNELS),
            "occurredAt": random_.choice(INSTANTS).isoformat(),
        }
        for source, event_id in keys
    ]
    record(store, organization, *told)
    order = sorted(told, key=lambda each: (each["occurredAt"], each["source"], each["id"]), reverse=True)
    return [
        ((each["source"], each["id"]), each["channel"], datetime.fromisoformat(each["occurredAt"])) for each in order
    ]


@pytest.mark.parametrize("limit", [1, 7, 60, 119, 120, 200])
def test_all_channels_at_once_are_one_list_newest_first_however_it_is_cut(store, organization, recorded, limit):
    pages = found(store, organization, limit=limit)
    assert flat(pages) == [key for key, _, _ in recorded]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    assert 1 <= len(pages[-1]) <= limit


@pytest.mark.parametrize("channel", [None, "EMAIL", "SMS"])
@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (INSTANTS[1], None), (None, INSTANTS[4]), (INSTANTS[1], INSTANTS[3]), (INSTANTS[3], INSTANTS[3])],
)
def test_a_search_finds_what_it_asks_for_from_the_start_on_and_before_the_end(
    store, organization, recorded, channel, start, end
):
    expected = [
        key
        for key, of_channel, at in recorded
        if (channel in (None, of_channel)) and (start is None or at >= start) and (end is None or at < end)
    ]
    assert flat(found(store, organization, channel=channel, start=start, end=end)) == expected


def test_what_is_recorded_between_two_pages_moves_nothing(store, organization, recorded):
    everything = [key for key, _, _ in recorded]
    first = events.search(store, organization.number, Search(), None, 50)
    boundary = first.items[-1]
    channel = {"channel": "PUSH"}
    for event_id, at in (
        ("newer", NOON),
        ("tie~", boundary.occurred_at),
        ("!tie", boundary.occurred_at),
        ("older", START),
    ):
        for source in ("!", "~"):
            record(store, organization, {"id": event_id, "source": source, "occurredAt": at.isoformat(), **channel})
    rest = flat(found(store, organization, cursor=first.next_cursor))
    assert [key for key in rest if key in everything] == everything[50:], "an event came twice, or never"
    came = set(rest) - set(everything)
    assert {("!", "older"), ("~", "older"), ("!", "tie~")} <= came, "what stands after the cursor is missing"
    assert not came & {("!", "newer"), ("~", "newer"), ("~", "tie~")}, "what stands before the cursor came after it"


def test_a_cursor_is_of_this_organization_and_these_filters(store, organization, recorded):
    cursor = events.search(store, organization.number, Search("SMS"), None, 1).next_cursor
    other = founded(store)
    record(store, other, "a")
    asked = [(other, Search("SMS")), (organization, Search()), (organization, Search("CALL")), (other, Search())]
    asked += [(organization, Search("SMS", START)), (organization, Search("SMS", None, START))]
    for whose, wanted in asked:
        with pytest.raises(InvalidRequest) as refusal:
            events.search(store, whose.number, wanted, cursor, 1)
        assert [fault.pointer for fault in refusal.value.faults] == ["query:cursor"]
    assert events.search(store, organization.number, Search("SMS"), cursor, 200).items


def test_events_are_found_with_their_corrections_and_only_the_organizations_own(store):
    organization, other = founded(store), founded(store)
    for each in (organization, other):
        record(store, each, {"id": "e", "channel": "SMS", "metadata": {"a": "ü"}}, {"id": "v", "channel": "CALL"})
    corrections.settle(store, organization.number, ("api", "e"), USD, "bill", NOON, by="key_1")
    corrections.void(store, organization.number, ("api", "v"), "never sent", NOON, by="key_1")
    page = events.search(store, organization.number, Search(), None, 10)
    assert page.items == [entry(store, organization, "v"), entry(store, organization, "e")]
    assert [len(each.corrections) for each in page.items] == [1, 1]
    assert all(each.pending for each in events.search(store, other.number, Search(), None, 10).items)
    with pytest.raises(NotFound):
        entry(store, organization, "e", source="gateway")
    check(store, organization)


def test_where_nothing_was_recorded_nothing_is_found(store, organization):
    assert found(store, organization) == [[]]
