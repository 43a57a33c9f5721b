"""History is what one gets by adding up the ledger, by month, by cycle and by day, from counters alone."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from sendmeter.domain.channels import CHANNELS
from sendmeter.domain.cycles import Anchor, Cycle
from sendmeter.domain.instants import utc_day
from sendmeter.domain.periods import GROUPINGS
from sendmeter.domain.usage import Counter
from sendmeter.errors import ProviderFailed, UsageLimitExceeded
from sendmeter.services import corrections, organizations, usage
from sendmeter.services.organizations import Change
from sendmeter.store import cycles
from tests.live import NOON
from tests.services.use_cases import TICK, USD, check, fail, founded, record

DAY, GRACE = timedelta(days=1), timedelta(hours=72)
BEGINNING = datetime(2025, 9, 1, tzinfo=UTC)


def history(store, organization, first, last, grouping, now=NOON, *, known=True, failing_before=NOON, **_):
    grace = (now - failing_before).total_seconds()
    asked = (organization.number, first, last, grouping, now)
    return usage.history(store, *asked, known_costs=known, grace_seconds=int(grace))


class Bookkeeper:
    """A model of the ledger: what was booked, and when. It knows the cycles' starts from a calendar on the wall."""

    STARTS = (
        [datetime(2025, month, 1, tzinfo=UTC) for month in (9, 10, 11, 12)]
        + [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]
        + [datetime(2026, month, 19, 18, 30, tzinfo=UTC) for month in (4, 5, 6, 7, 8, 9, 10, 11, 12)]
    )

    def __init__(self):
        self.booked = []
        self.events = {}

    def end(self, instant):
        return next(start for start in self.STARTS if start > instant)

    def book(self, instant, now, counter):
        at = now if now >= self.end(instant) + GRACE else instant
        self.booked.append((at, counter))
        return at

    def event(self, event_id, channel, quantity, cost, occurred_at, now):
        pending = cost is None and channel in ("SMS", "CALL")
        at = self.book(occurred_at, now, Counter(channel, quantity, cost or 0, int(pending)))
        self.events[event_id] = [at, channel, quantity, cost or 0, pending]

    def correct(self, event_id, now, cost, *, voids=False):
        at, channel, quantity, known, pending = self.events[event_id]
        closed = now >= self.end(at) + GRACE
        counter = Counter(channel, -quantity if voids else 0, cost - known, -int(pending and not closed))
        self.book(at, now, counter)
        self.events[event_id] = [at, channel, quantity, cost, False]

    def sum(self, start, end):
        return {
            name: sum(
                (each for at, each in self.booked if start <= at < end and each.channel == name), Counter(name, 0, 0, 0)
            )
            for name in CHANNELS
        }


def live(store, random_, model):
    """Record, void and settle for 15 months, with a change of the anchor in the middle."""
    organization = founded(store, now=BEGINNING, starts_at=BEGINNING)
    now, number = BEGINNING, 0
    while now < NOON - 3 * DAY:
        now += timedelta(seconds=random_.randrange(9 * 86_400))
        if now >= datetime(2026, 3, 3, tzinfo=UTC) and not organization.schedule.changes:
            assert now < datetime(2026, 4, 1, tzinfo=UTC)
            wanted = Change(anchor_day=20, time_zone="Asia/Kolkata")
            organization = organizations.change(store, organization.organization_id, wanted, now, by="test")
        batch = []
        for _ in range(random_.randrange(1, 5)):
            number += 1
            channel, quantity = random_.choice(CHANNELS), random_.randrange(1, 9)
            cost = random_.choice([None, 0, USD, 7 * USD]) if channel in ("SMS", "CALL") else None
            occurred_at = max(BEGINNING, now - timedelta(seconds=random_.randrange(50 * 86_400)))
            told = {"id": f"e{number}", "channel": channel, "quantity": quantity, "occurredAt": occurred_at.isoformat()}
            batch.append(told | ({} if cost is None else {"cost": cost // USD}))
            model.event(f"e{number}", channel, quantity, cost, occurred_at, now)
        record(store, organization, *batch, now=now)
        for event_id in random_.sample(sorted(model.events), min(2, len(model.events))):
            key, channel, cost = ("api", event_id), model.events[event_id][1], random_.randrange(5) * USD
            if random_.random() < 0.3:
                corrections.void(store, organization.number, key, "test", now, by="test")
                model.correct(event_id, now, 0, voids=True)
                del model.events[event_id]
            elif channel in ("SMS", "CALL"):
                if cost != model.events[event_id][3] or model.events[event_id][4]:
                    model.correct(event_id, now, cost)
                corrections.settle(store, organization.number, key, cost, None, now, by="test")
    return organization


RANGES = [
    (date(2025, 9, 1), date(2026, 11, 30)),
    (date(2026, 3, 31), date(2026, 4, 19)),
    (date(2026, 4, 20), date(2026, 4, 20)),
    (date(2025, 6, 15), date(2025, 9, 2)),
    (date(2026, 11, 19), date(2027, 2, 3)),
]


@pytest.mark.parametrize("seed", [1, 2])
def test_history_is_the_ledger_added_up_through_lateness_corrections_and_another_anchor(store, seed):
    model = Bookkeeper()
    organization = live(store, random.Random(seed), model)
    assert len(model.booked) > 150
    for first, last in RANGES:
        for grouping in GROUPINGS:
            periods = history(store, organization, first, last, grouping)
            cycles = [period.usage.cycle for period in periods]
            start, end = (datetime(each.year, each.month, each.day, tzinfo=UTC) for each in (first, last + DAY))
            assert cycles[0].start <= start < cycles[0].end
            assert cycles[-1].start < end <= cycles[-1].end
            assert [each.end for each in cycles[:-1]] == [each.start for each in cycles[1:]]
            for period in periods:
                assert period.usage.counters == model.sum(period.usage.cycle.start, period.usage.cycle.end), period.name
            if grouping == "billing":
                starts = {each.start for each in cycles if BEGINNING <= each.start < datetime(2026, 12, 20, tzinfo=UTC)}
                assert starts == {each for each in Bookkeeper.STARTS if cycles[0].start <= each < cycles[-1].end}
    check(store, organization)


@pytest.mark.parametrize(
    ("grouping", "names"),
    [
        ("calendar", ["2026-10", "2026-11"]),
        ("day", ["2026-10-31", "2026-11-01", "2026-11-02"]),
        ("billing", ["2026-10-15", "2026-11-01"]),
    ],
)
def test_periods_without_traffic_are_there_and_named_by_the_organizations_calendar(store, grouping, names):
    organization = founded(store, anchor=Anchor(15, "Pacific/Kiritimati"), now=datetime(2026, 10, 20, tzinfo=UTC))
    wanted = Change(anchor_day=1)
    organizations.change(store, organization.organization_id, wanted, datetime(2026, 10, 1, tzinfo=UTC), by="test")
    periods = history(store, organization, date(2026, 10, 31), date(2026, 11, 2), grouping)
    assert [period.name for period in periods] == names
    assert all(period.usage.messages == period.usage.cost_nano_usd == 0 for period in periods)
    told = periods[0].to_json()
    assert (told["yearMonth"], set(told["channelUsages"])) == (names[0], set(CHANNELS))


def test_a_period_that_the_days_overlap_in_part_is_given_whole(store):
    organization = founded(store)
    record(store, organization, {"id": "e", "channel": "EMAIL", "occurredAt": "2026-11-02T00:00:00Z"})
    for grouping, messages in (("calendar", 1), ("billing", 1), ("day", 0)):
        (period,) = history(store, organization, date(2026, 11, 9), date(2026, 11, 9), grouping)
        assert period.usage.messages == messages


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_a_locked_organization_does_not_read_its_history_either(store, grouping):
    organization = founded(store, messages=1, enforcement="lock")
    days = date(2026, 1, 1), date(2026, 1, 2)
    assert history(store, organization, *days, grouping)
    record(store, organization, "e")
    with pytest.raises(UsageLimitExceeded, match="message cap of 1 is reached"):
        history(store, organization, *days, grouping)
    assert history(store, organization, *days, grouping, now=NOON + 11 * DAY), "the next cycle is locked, too"


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_only_the_history_of_a_cycle_that_is_owed_costs_is_refused(store, grouping):
    organization = founded(store, starts_at=datetime(2026, 1, 1, tzinfo=UTC))
    for month in (9, 10):
        pending = {
            "id": f"{month}",
            "channel": "SMS",
            "provider": "telnyx",
            "occurredAt": f"2026-{month:02}-05T00:00:00Z",
        }
        other = {**pending, "id": f"other {month}", "provider": "twilio"}
        record(store, organization, pending, other, now=datetime(2026, month, 20, tzinfo=UTC))
    fail(store, organization.number, "telnyx", "10009", NOON)
    corrections.settle(store, organization.number, ("api", "9"), 5, None, NOON, by="test")
    september, october, november = ((date(2026, month, 1), date(2026, month, 30)) for month in (9, 10, 11))
    for days in (september, november):
        assert history(store, organization, *days, grouping, known=False)
    with pytest.raises(ProviderFailed, match="telnyx has been failing since 2026-11-20T12:00:00Z") as refusal:
        history(store, organization, *october, grouping, known=False)
    assert (refusal.value.provider, refusal.value.provider_code) == ("telnyx", "10009")
    assert history(store, organization, *october, grouping, known=True)
    assert history(store, organization, *october, grouping, known=False, failing_before=NOON - DAY)


def test_five_years_of_days_add_up(store):
    """How many queries they take is in `tests/proof/test_history_speed.py`."""
    organization = founded(store)
    first, last = date(2021, 11, 21), date(2026, 11, 20)
    numbers = range(utc_day(datetime(2021, 11, 21, tzinfo=UTC)), utc_day(NOON) + 1)
    values = ", ".join(f"({organization.number}, {day}, '{name}', 1, 1, 0)" for day in numbers for name in CHANNELS)
    columns = "organization_id, day, channel, quantity, cost_nano_usd, pending"
    store.write(lambda: store.execute(f"INSERT INTO day_counters ({columns}) VALUES {values}"))
    for grouping in ("day", "calendar"):
        periods = history(store, organization, first, last, grouping)
        assert sum(period.usage.messages for period in periods) == 5 * len(numbers)


def test_a_cycle_that_was_written_under_other_rules_of_its_zone_is_joined_by_its_neighbours(sqlite_store):
    organization = founded(sqlite_store, starts_at=datetime(2026, 1, 1, tzinfo=UTC))
    hours = timedelta(hours=2)
    moved = Cycle(datetime(2026, 10, 1, tzinfo=UTC) + hours, datetime(2026, 11, 1, tzinfo=UTC) + hours)
    anchor = Anchor(1, "Europe/Berlin")
    sqlite_store.write(lambda: cycles.insert(sqlite_store, organization.number, moved, anchor, None))
    for now, expected in (
        (moved.start - TICK, Cycle(datetime(2026, 9, 1, tzinfo=UTC), moved.start)),
        (moved.start, moved),
        (moved.end - TICK, moved),
        (moved.end, Cycle(moved.end, datetime(2026, 12, 1, tzinfo=UTC))),
    ):
        assert usage.get(sqlite_store, organization.number, now, known_costs=True, grace_seconds=0).cycle == expected
    october = date(2026, 10, 15)
    (period,) = history(sqlite_store, organization, october, october, "billing")
    assert period.usage.cycle == moved


def test_a_period_says_each_thing_under_its_own_name(sqlite_store):
    organization = founded(sqlite_store)
    record(sqlite_store, organization, {"id": "s", "channel": "SMS", "cost": "0.5"})
    (period,) = history(sqlite_store, organization, NOON.date(), NOON.date(), "day")
    assert period.to_json() == {
        "yearMonth": "2026-11-20",
        "periodStart": "2026-11-20T00:00:00Z",
        "periodEnd": "2026-11-21T00:00:00Z",
        **period.usage.amounts_to_json(),
    }
