"""What Sendmeter should answer, in plain lines: dicts, datetimes, integers of nano-USD, and nothing of the product.

A status is what HTTP answers; whatever is not 200 or 201 has changed nothing.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

MESSAGES, COSTED = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK"), ("SMS", "CALL")
CLOSES_AFTER, SHORTEST = timedelta(hours=72), timedelta(days=15)
AHEAD, BEHIND = timedelta(minutes=5), timedelta(days=400)
FIXED_ZONES = {"UTC": timedelta(0), "Asia/Kathmandu": timedelta(hours=5, minutes=45)}


def nanos(amount):
    return None if amount is None else int(Decimal(str(amount)).scaleb(9))


def usd(amount):
    return Decimal(amount).scaleb(-9)


def by_cap(sums):
    """What counts towards each cap, of messages and cost by channel."""
    found = {channel: sums.get(channel, (0, 0))[0] for channel in (*MESSAGES, *COSTED)}
    found["messageCap"] = sum(found[channel] for channel in MESSAGES)
    found["budgetCap"] = sum(sums.get(channel, (0, 0))[1] for channel in COSTED)
    return found


def text(instant):
    return instant.isoformat().replace("+00:00", "Z")


def offset(zone, instant):
    """How far a zone's clock is ahead of UTC's. Berlin: summer from March's last Sunday to October's, 01:00 UTC."""
    if zone in FIXED_ZONES:
        return FIXED_ZONES[zone]
    last_days = [datetime(instant.year, month, 31, 1, tzinfo=UTC) for month in (3, 10)]
    first, last = (day - timedelta(days=day.isoweekday() % 7) for day in last_days)
    return timedelta(hours=2 if first <= instant < last else 1)


def first_boundary(anchor, earliest):
    """The first start of a cycle of an anchor (day, zone) at an instant or after it."""
    month = earliest.year * 12 + earliest.month - 2
    while True:
        year, index = divmod(month, 12)
        day = datetime(year, index + 1, min(anchor[0], monthrange(year, index + 1)[1]), tzinfo=UTC)
        found = day - offset(anchor[1], day)
        if found >= earliest:
            return found
        month += 1


@dataclass
class Event:
    sent: dict
    occurred: datetime
    recorded: datetime
    place: tuple  # (booked at, start and end of the cycle that counts it, late)
    estimate: int
    cost: int | None
    voided: bool = False
    corrections: list = field(default_factory=list)

    @property
    def pending(self):
        return self.cost is None and self.sent["channel"] in COSTED and not self.voided


@dataclass
class Hold:
    asked: dict
    placed: datetime
    state: str = "held"
    ended: datetime | None = None
    event: tuple | None = None

    @property
    def estimate(self):
        return nanos(self.asked["estimatedCost"]) or 0

    @property
    def expires(self):
        return self.placed + timedelta(seconds=self.asked["ttlSeconds"])


class Model:
    def __init__(self, now, starts_at, anchor):
        self.now, self.starts_at, self.anchor = now, starts_at, anchor
        self.decided = starts_at
        self.edges = [first_boundary(anchor, starts_at - timedelta(days=40))]
        self.anchors = {self.edges[0]: anchor}
        self.written = self.edges[0]
        self.caps = {"channelCaps": {}, "enforcement": "block"}
        self.events, self.holds, self.entries, self.audited = {}, {}, [], ["organization.created", "key.created"]

    def cycle(self, instant):
        while self.edges[-1] <= instant:
            self.edges.append(first_boundary(self.anchor, self.edges[-1] + SHORTEST))
            self.anchors[self.edges[-1]] = self.anchor
        index = sum(edge <= instant for edge in self.edges)
        return self.edges[index - 1], self.edges[index]

    def reanchor(self, anchor):
        """From the end of the running cycle on, or of a later one that something is booked into."""
        moved = max(self.cycle(self.now)[1], self.written)
        self.edges = [edge for edge in self.edges if edge <= moved]
        self.anchor = self.anchors[moved] = anchor

    def next_anchor(self):
        """The first anchor to come that is another than the running cycle's, and the start of its first cycle."""
        start, end = self.cycle(self.now)
        following = [edge for edge in self.edges if edge >= end and self.anchors[edge] != self.anchors[start]]
        return (self.anchors[following[0]], following[0]) if following else None

    def place(self, instant, cycle):
        if self.now >= cycle[1] + CLOSES_AFTER:
            return self.now, self.cycle(self.now), True
        return instant, cycle, False

    def count(self, place, channel, quantity, cost, pending, estimate):
        booked, cycle, _ = place
        self.entries.append((cycle[0], booked.date(), channel, (quantity, cost, pending, estimate)))

    def write_cycle(self, cycle):
        """From now on it never moves."""
        self.written = max(self.written, cycle[1])

    def decision(self):
        """The instant of a decision about a hold: a clock that lags by up to five minutes is not believed."""
        return max(self.now, self.decided) if self.decided - self.now <= AHEAD else self.now

    def record(self, batch, estimate=0):
        """Record all or none: status and outcomes."""
        new, outcomes, refused = {}, [], []
        for sent in batch:
            key, occurred = (sent["source"], sent["id"]), sent["occurredAt"] or self.now
            known = self.events.get(key) or new.get(key)
            if known:
                content = {**sent, "occurredAt": sent["occurredAt"] or known.recorded}
                outcomes.append("duplicate")
                refused += [409] if content != {**known.sent, "occurredAt": known.occurred} else []
            elif occurred > self.now + AHEAD or occurred < max(self.now - BEHIND, self.starts_at):
                refused.append(400)
            else:
                place = self.place(occurred, self.cycle(occurred))
                new[key] = Event(sent, occurred, self.now, place, estimate, nanos(sent["cost"]))
                outcomes.append("late" if place[2] else "accepted")
        if refused:
            return min(refused), []
        self.write_cycle(self.cycle(self.now))
        for event in new.values():
            self.write_cycle(event.place[1])
            pending = event.pending
            counted = (event.sent["quantity"], event.cost or 0, int(pending), event.estimate * pending)
            self.count(event.place, event.sent["channel"], *counted)
        self.events |= new
        return 200, outcomes

    def void(self, key):
        event = self.events[key]
        if event.voided:
            return 409
        self._correct(event, "void", -event.sent["quantity"], -(event.cost or 0))
        event.voided = True
        return 200

    def settle(self, key, cost):
        event = self.events[key]
        if event.sent["channel"] not in COSTED or event.voided:
            return 409
        self.write_cycle(self.cycle(self.now))
        if cost != event.cost:
            self._correct(event, "settle", 0, cost - (event.cost or 0))
            event.cost = event.corrections[-1]["cost"] = cost
        return 200

    def _correct(self, event, kind, quantity, cost):
        place = self.place(event.place[0], event.place[1])
        known = event.pending and not place[2]
        self.count(place, event.sent["channel"], quantity, cost, -known, -known * event.estimate)
        self.write_cycle(self.cycle(self.now))
        correction = {"kind": kind, "place": place, "recorded": self.now, "amounts": (quantity, cost)}
        event.corrections.append(correction)

    def hold(self, asked):
        self.decided = self.decision()
        known = self.holds.get(asked["id"])
        if known:
            return 200 if known.asked == asked else 409
        costed = asked["channel"] in COSTED
        wanted = "budgetCap" in self.caps and self.caps["enforcement"] != "observe"
        if costed and wanted and asked["estimatedCost"] is None:
            return 400
        amounts = {"budgetCap": nanos(asked["estimatedCost"]) or 0} if costed else {"messageCap": asked["quantity"]}
        amounts[asked["channel"]] = asked["quantity"]
        standings = {cap: standing for cap, standing in self.standings().items() if cap in amounts}
        passed = any(
            used + returned + held + amounts[cap] > limit for cap, (limit, used, held, returned) in standings.items()
        )
        if passed and self.caps["enforcement"] != "observe":
            return 402
        self.holds[asked["id"]] = Hold(asked, self.decided)
        return 201

    def settle_hold(self, hold_id, sent):
        hold = self.holds[hold_id]
        key = (sent["source"], sent["id"])
        if sent["cost"] is not None and sent["channel"] not in COSTED:
            return 409
        if hold.state == "released" or (hold.state == "settled" and hold.event != key):
            return 409
        if hold.state == "held":
            earliest = max(hold.placed - AHEAD, self.cycle(hold.placed)[0])
            if sent["occurredAt"] and sent["occurredAt"] < earliest:
                return 400
            known = self.events.get(key)
            if known and {**sent, "occurredAt": sent["occurredAt"] or known.recorded} == {
                **known.sent,
                "occurredAt": known.occurred,
            }:
                return 409
        now, decided = self.now, self.decision()
        self.now = max(decided, hold.placed)
        status, _ = self.record([sent], hold.estimate)
        if status == 200 and hold.state == "held":
            hold.state, hold.ended, hold.event = "settled", self.now, key
        self.decided = decided if status == 200 else self.decided
        self.now = now
        return status

    def release(self, hold_id):
        hold = self.holds[hold_id]
        if hold.state == "settled":
            return 409
        self.decided = self.decision()
        if hold.state == "held":
            hold.state, hold.ended = "released", self.decided
        return 200

    def standing_holds(self):
        return [hold for hold in self.holds.values() if hold.state == "held" and self.decision() < hold.expires]

    def totals(self, period_of):
        """Add the entries up by period: what each channel has of quantity, cost, pending, estimates."""
        found = {}
        for start, day, channel, amounts in self.entries:
            sums = found.setdefault(period_of(start, day), {}).setdefault(channel, [0, 0, 0, 0])
            sums[:] = [one + other for one, other in zip(sums, amounts, strict=True)]
        return found

    def running(self):
        start = self.cycle(self.now)[0]
        return self.totals(lambda cycle, _: cycle).get(start, {})

    def returned(self, start):
        """What late corrections in a cycle take off for events of earlier ones, by cap."""
        found = {}
        for event in self.events.values():
            late = [each["amounts"] for each in event.corrections if each["place"][2] and each["place"][1][0] == start]
            amounts = [max(0, -sum(each)) for each in zip((0, 0), *late, strict=True)]
            sums = found.setdefault(event.sent["channel"], [0, 0])
            sums[:] = [one + other for one, other in zip(sums, amounts, strict=True)]
        return by_cap(found)

    def counted(self, start):
        """What is used of a cycle by cap, and what its pending events are estimated at."""
        sums = self.totals(lambda cycle, _: cycle).get(start, {})
        return by_cap(sums), sum(each[3] for each in sums.values())

    def standings(self):
        """Of each cap: limit, used, held, returned."""
        start = self.cycle(self.decision())[0]
        used, estimates = self.counted(start)
        returned, held = self.returned(start), by_cap({})
        for hold in self.standing_holds():
            for cap, amount in by_cap({hold.asked["channel"]: (hold.asked["quantity"], hold.estimate)}).items():
                held[cap] += amount
        for later in {entry[0] for entry in self.entries if entry[0] > start}:
            (used_later, more), returned_later = self.counted(later), self.returned(later)
            held = {cap: amount + used_later[cap] + returned_later[cap] for cap, amount in held.items()}
            estimates += more
        held["budgetCap"] += estimates
        return {cap: (limit, used[cap], held[cap], returned[cap]) for cap, limit in self.limits().items()}

    def limits(self):
        limits = {cap: self.caps[cap] for cap in ("messageCap", "budgetCap") if cap in self.caps}
        return limits | self.caps["channelCaps"]

    def locked(self):
        """Whether a cap is reached by what is used of the cycle that runs by the clock, whatever is held."""
        start = self.cycle(self.now)[0]
        (used, _), returned = self.counted(start), self.returned(start)
        reached = any(used[cap] + returned[cap] >= limit for cap, limit in self.limits().items())
        return reached and self.caps["enforcement"] == "lock"

    def newest(self, channel=None, start=None, end=None):
        found = [event for event in self.events.values() if channel in (None, event.sent["channel"])]
        found = [event for event in found if not start or start <= event.occurred]
        found = [event for event in found if not end or event.occurred < end]
        return sorted(found, key=lambda event: (event.occurred, event.sent["source"], event.sent["id"]), reverse=True)
