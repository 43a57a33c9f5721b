"""Lives of an organization's schedule: what `services.cycles` does to it, over values alone, drawn at random."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from sendmeter.domain.cycles import Anchor, Cycle, Schedule

MICROSECOND = timedelta(microseconds=1)
BEGINNING = datetime(2014, 1, 1, tzinfo=UTC)
ALL_ZONES = sorted(available_timezones())
FEW_HOURS = timedelta(hours=4)


@dataclass
class Life:
    """An organization as far as its cycles go: its schedule, and the cycles that were written down."""

    schedule: Schedule
    now: datetime
    written: list[Cycle] = field(default_factory=list)
    zone_data_changed: bool = False

    def nearest(self, instant):
        """Return what the store gives: the last written cycle that starts by then, and the first that starts after."""
        before = [cycle for cycle in self.written if cycle.start <= instant][-1:]
        return before + [cycle for cycle in self.written if cycle.start > instant][:1]

    def cycle_at(self, instant):
        return self.schedule.cycle_at(instant, self.nearest(instant))

    def between(self, start, end):
        written = self.nearest(start)[:1] + [cycle for cycle in self.written if start < cycle.start <= end]
        written += [cycle for cycle in self.written if cycle.start > end][:1]
        return list(self.schedule.cycles_between(start, end, sorted(set(written), key=lambda cycle: cycle.start)))

    def write(self, instant):
        cycle = self.cycle_at(instant)
        if cycle not in self.written:
            self.written = sorted([*self.written, cycle], key=lambda cycle: cycle.start)

    def change(self, anchor):
        """Change the anchor as `services.cycles.reanchored` does."""
        running = self.cycle_at(self.now)
        self.write(self.now)
        self.schedule = self.schedule.changed(anchor, max(running.end, self.written[-1].end))

    def change_zone_data(self, steps):
        """Let each of its zones be a few hours elsewhere from now on, in the past too, as new zone data may have it."""

        def moved(anchor):
            near = zones_near(anchor.time_zone)
            return replace(anchor, time_zone=near[steps % len(near)])

        changes = tuple((at, moved(anchor)) for at, anchor in self.schedule.changes)
        self.schedule = Schedule(moved(self.schedule.first), changes)
        self.zone_data_changed = True


@lru_cache(maxsize=1000)
def zones_near(name):
    return [zone for zone in ALL_ZONES if abs(_offset(zone) - _offset(name)) < FEW_HOURS]


@lru_cache(maxsize=1000)
def _offset(name):
    return datetime(2020, 1, 15, tzinfo=UTC).astimezone(ZoneInfo(name)).utcoffset()


DAYS = st.one_of(st.integers(1, 31), st.sampled_from([1, 28, 29, 30, 31]))
ANCHORS = st.builds(Anchor, DAYS, st.sampled_from(ALL_ZONES))
WAIT = st.tuples(st.just("wait"), st.integers(0, 100 * 86_400))
WRITE = st.tuples(st.just("write"), st.integers(-300, 500 * 86_400))
CHANGE = st.tuples(st.just("change"), ANCHORS)
NEW_ZONE_DATA = st.tuples(st.just("zone data"), st.integers(0, 200))


def step(life, action):
    match action:
        case "wait", seconds:
            life.now += timedelta(seconds=seconds)
        case "write", seconds_ago:
            life.write(life.now - timedelta(seconds=seconds_ago))
        case "change", anchor:
            life.change(anchor)
        case "zone data", steps:
            life.change_zone_data(steps)


@st.composite
def lives(draw, *actions):
    """Draw a life, with the actions that it consists of."""
    now = BEGINNING + timedelta(seconds=draw(st.integers(600 * 86_400, 4_000 * 86_400)))
    life = Life(Schedule(draw(ANCHORS)), now)
    return life, draw(st.lists(st.one_of(*actions), max_size=12))
