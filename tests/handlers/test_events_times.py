"""When an event occurred: which times are recorded, and which cycle they are booked into."""

from datetime import UTC, datetime, timedelta

from sendmeter.domain.cycles import Anchor
from sendmeter.services.verify import differences
from tests.live import NOON

MICROSECOND = timedelta(microseconds=1)


def at(instant, event_id="a", **members):
    return {"id": event_id, "channel": "EMAIL", "occurredAt": instant.isoformat(), **members}


def outcome(answer):
    assert answer.status_code == 200, answer.text
    return [each["outcome"] for each in answer.json()["events"]]


def refused(answer, said):
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "invalid_request"), answer.text
    assert error["fix"]
    assert [detail["pointer"] for detail in error["details"]] == ["/events/0"]
    assert said in error["details"][0]["message"]


def messages(client):
    return client.usage().json()["messageUsage"]


def booked(server, organization):
    """Return where each event is booked: its id, the start of its cycle, and whether it is late."""
    statement = """
        SELECT event_id, cycle_starts_at, late, occurred_at FROM events WHERE organization_id = ? ORDER BY event_id
    """
    rows = server.store.read(lambda: server.store.execute(statement, (organization.number,)).fetchall())
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return {row[0]: (epoch + row[1] * MICROSECOND, bool(row[2]), epoch + row[3] * MICROSECOND) for row in rows}


def days_counted(server, organization):
    statement = "SELECT day, quantity FROM day_counters WHERE organization_id = ? ORDER BY day"
    rows = server.store.read(lambda: server.store.execute(statement, (organization.number,)).fetchall())
    return {(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat(): count for day, count in rows}


def test_five_minutes_ahead_are_recorded_and_a_microsecond_more_is_not(server):
    _, client = server.organization()
    assert outcome(client.record(at(NOON + timedelta(minutes=5)))) == ["accepted"]
    over = at(NOON + timedelta(minutes=5) + MICROSECOND, "b")
    refused(client.record(over), "more than 5 minutes ahead of the server's clock, 2026-11-20T12:00:00Z")
    assert messages(client) == 1
    server.clock.now += MICROSECOND
    assert outcome(client.record(over)) == ["accepted"]


def test_four_hundred_days_ago_are_recorded_and_a_microsecond_more_is_not(server):
    organization, client = server.organization(starts_at=NOON - timedelta(days=1_000))
    assert outcome(client.record(at(NOON - timedelta(days=400)))) == ["late"]
    refused(client.record(at(NOON - timedelta(days=400) - MICROSECOND, "b")), "more than 400 days ago")
    server.clock.now += MICROSECOND
    refused(client.record(at(NOON - timedelta(days=400), "b")), "more than 400 days ago")
    assert list(booked(server, organization)) == ["a"]


def test_the_organizations_start_is_recorded_and_a_microsecond_before_it_is_not(server):
    starts_at = datetime(2026, 11, 7, 3, 4, 5, 678_901, tzinfo=UTC)
    _, client = server.organization(starts_at=starts_at)
    assert outcome(client.record(at(starts_at))) == ["accepted"]
    refused(
        client.record(at(starts_at - MICROSECOND, "b")), "before the organization's start, 2026-11-07T03:04:05.678901Z"
    )
    assert messages(client) == 1


def test_an_organization_starts_with_the_cycle_that_it_was_made_in(server):
    _, client = server.organization(Anchor(15, "America/New_York"))
    start = datetime(2026, 11, 15, 5, tzinfo=UTC)
    assert outcome(client.record(at(start))) == ["accepted"]
    refused(client.record(at(start - MICROSECOND, "b")), "before the organization's start, 2026-11-15T05:00:00Z")


def test_one_refused_time_refuses_the_batch_and_only_it_is_pointed_at(server):
    organization, client = server.organization()
    batch = [at(NOON, "a"), at(NOON + timedelta(days=1), "b"), at(NOON, "c"), at(NOON - timedelta(days=30), "d")]
    answer = client.record(*batch)
    assert answer.status_code == 400
    assert [detail["pointer"] for detail in answer.json()["error"]["details"]] == ["/events/1", "/events/3"]
    assert booked(server, organization) == {}
    assert messages(client) == 0


def test_a_duplicate_of_an_event_that_has_become_too_old_is_still_a_success(server):
    organization, client = server.organization()
    event = at(NOON - timedelta(days=1))
    assert outcome(client.record(event)) == ["accepted"]
    server.clock.advance(days=500)
    assert outcome(client.record(event)) == ["duplicate"]
    answer = client.record(event, at(server.clock(), "b"), event)
    assert outcome(answer) == ["duplicate", "accepted", "duplicate"]
    refused(client.record(event | {"id": "new"}), "more than 400 days ago")
    assert client.record(event | {"quantity": 2}).status_code == 409
    assert differences(server.store, organization) == []


def test_an_event_without_a_time_sent_again_later_is_a_duplicate(server):
    organization, client = server.organization()
    event = {"id": "a", "channel": "SMS"}
    assert outcome(client.record(event, event)) == ["accepted", "duplicate"]
    for later in (timedelta(0), MICROSECOND, timedelta(days=45), timedelta(days=401)):
        server.clock.now += later
        assert outcome(client.record(event)) == ["duplicate"]
        assert client.record(event | {"quantity": 2}).status_code == 409
    assert booked(server, organization)["a"][2] == NOON


def test_an_event_without_a_time_is_not_the_one_that_names_another_time(server):
    _, client = server.organization()
    client.record({"id": "a", "channel": "EMAIL"})
    assert client.record(at(NOON - MICROSECOND)).status_code == 409
    assert outcome(client.record(at(NOON))) == ["duplicate"]
    client.record(at(NOON - MICROSECOND, "b"))
    assert client.record({"id": "b", "channel": "EMAIL"}).status_code == 409


def test_a_cycle_takes_its_events_until_72_hours_after_its_end_and_then_never_changes(server):
    organization, client = server.organization()
    november, december = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    server.clock.now = december + timedelta(hours=72) - MICROSECOND
    assert outcome(client.record(at(NOON, "in-time"))) == ["accepted"]
    assert messages(client) == 0, "it belongs to November"
    server.clock.now += MICROSECOND
    answer = client.record(at(NOON, "too-late"), at(december - MICROSECOND, "last"), at(december, "next"))
    assert outcome(answer) == ["late", "late", "accepted"]
    assert (answer.json()["accepted"], answer.json()["late"]) == (3, 2)
    assert booked(server, organization) == {
        "in-time": (november, False, NOON),
        "too-late": (december, True, NOON),
        "last": (december, True, december - MICROSECOND),
        "next": (december, False, december),
    }
    assert messages(client) == 3
    assert days_counted(server, organization) == {"2026-11-20": 1, "2026-12-01": 1, "2026-12-04": 2}
    assert differences(server.store, organization) == []


def test_a_late_event_again_is_a_duplicate_and_counts_once(server):
    organization, client = server.organization()
    server.clock.advance(days=20)
    late = at(NOON, channel="SMS", cost="0.01")
    assert outcome(client.record(late, late)) == ["late", "duplicate"]
    server.clock.advance(days=90)
    assert outcome(client.record(late)) == ["duplicate"]
    assert differences(server.store, organization) == []


def test_an_event_ahead_across_the_end_of_the_cycle_is_counted_in_the_next(server):
    organization, client = server.organization()
    december = datetime(2026, 12, 1, tzinfo=UTC)
    server.clock.now = december - timedelta(minutes=1)
    assert outcome(client.record(at(december, "a"), at(december - MICROSECOND, "b"))) == ["accepted", "accepted"]
    assert messages(client) == 1
    server.clock.now = december
    assert messages(client) == 1
    assert {event: row[0].month for event, row in booked(server, organization).items()} == {"a": 12, "b": 11}


def test_events_are_booked_by_the_organizations_own_midnight(server):
    organization, client = server.organization(Anchor(31, "Asia/Kathmandu"), starts_at=NOON - timedelta(days=200))
    midnight = datetime(2026, 10, 30, 18, 15, tzinfo=UTC)
    answer = client.record(at(midnight, "in"), at(midnight - MICROSECOND, "before"))
    assert outcome(answer) == ["accepted", "late"]
    usage = client.usage().json()
    assert usage["billingCycleStart"] == "2026-10-30T18:15:00Z"
    assert usage["billingCycleEnd"] == "2026-11-29T18:15:00Z"
    assert usage["messageUsage"] == 2
    assert differences(server.store, organization) == []


def test_what_is_finer_than_a_microsecond_is_cut_off_and_no_other_content(server):
    organization, client = server.organization()
    event = {"id": "a", "channel": "EMAIL", "occurredAt": "2026-11-20T11:00:00.123456999Z"}
    assert outcome(client.record(event)) == ["accepted"]
    assert outcome(client.record(event | {"occurredAt": "2026-11-20T11:00:00.123456Z"})) == ["duplicate"]
    assert booked(server, organization)["a"][2].microsecond == 123_456
