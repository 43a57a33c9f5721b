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
        for event in new.values():
            self.written = max(self.written, event.place[1][1])
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
        if cost != event.cost:
            self._correct(event, "settle", 0, cost - (event.cost or 0))
            event.cost = event.corrections[-1]["cost"] = cost
        return 200

    def _correct(self, event, kind, quantity, cost):
        place = self.place(event.place[0], event.place[1])
        known = event.pending and not place[2]
        self.count(place, event.sent["channel"], quantity, cost, -known, -known * event.estimate)
        event.corrections.append({"kind": kind, "place": place, "recorded": self.now})

    def hold(self, asked):
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
        passed = any(max(0, used) + held + amounts[cap] > limit for cap, (limit, used, held) in standings.items())
        if passed and self.caps["enforcement"] != "observe":
            return 402
        self.holds[asked["id"]] = Hold(asked, self.now)
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
        status, _ = self.record([sent], hold.estimate)
        if status == 200 and hold.state == "held":
            hold.state, hold.ended, hold.event = "settled", self.now, key
        return status

    def release(self, hold_id):
        hold = self.holds[hold_id]
        if hold.state == "settled":
            return 409
        if hold.state == "held":
            hold.state, hold.ended = "released", self.now
        return 200

    def standing_holds(self):
        return [hold for hold in self.holds.values() if hold.state == "held" and self.now < hold.expires]

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

    def standings(self):
        """Of each cap: limit, used, held."""
        used, held = self.running(), {"budgetCap": 0, "messageCap": 0}
        for hold in self.standing_holds():
            channel, quantity = hold.asked["channel"], hold.asked["quantity"]
            held[channel] = held.get(channel, 0) + quantity
            held["messageCap"] += quantity * (channel in MESSAGES)
            held["budgetCap"] += hold.estimate
        held["budgetCap"] += sum(sums[3] for sums in used.values())
        amounts = {channel: sums[0] for channel, sums in used.items()}
        amounts["messageCap"] = sum(amounts.get(channel, 0) for channel in MESSAGES)
        amounts["budgetCap"] = sum(sums[1] for sums in used.values())
        limits = {cap: self.caps[cap] for cap in ("messageCap", "budgetCap") if cap in self.caps}
        limits |= self.caps["channelCaps"]
        return {cap: (limit, amounts.get(cap, 0), held.get(cap, 0)) for cap, limit in limits.items()}

    def locked(self):
        reached = any(used >= limit for limit, used, _ in self.standings().values())
        return reached and self.caps["enforcement"] == "lock"

    def newest(self, channel=None, start=None, end=None):
        found = [event for event in self.events.values() if channel in (None, event.sent["channel"])]
        found = [event for event in found if not start or start <= event.occurred]
        found = [event for event in found if not end or event.occurred < end]
        return sorted(found, key=lambda event: (event.occurred, event.sent["source"], event.sent["id"]), reverse=True)
