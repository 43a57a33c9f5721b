"""Everything that callers do, in any order, over a real server; after each step all answers are the model's."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sendmeter.services import audit, organizations
from tests.live import Client
from tests.proof.checks import EVENTS, HOLDS, LIMITS, Checks
from tests.proof.model import CLOSES_AFTER, COSTED, MESSAGES, Model, nanos, text
from tests.proof.model_responses import (
    anchor_json,
    written,
)

TICK = timedelta(microseconds=1)
BEGINNINGS = (
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    datetime(2026, 3, 28, 22, 59, tzinfo=UTC),
    datetime(2026, 10, 24, 23, tzinfo=UTC),
    datetime(2027, 2, 27, 18, 14, 59, tzinfo=UTC),
    datetime(2028, 2, 29, 0, 0, 0, 7, tzinfo=UTC),
)
EARLIEST = datetime(2025, 6, 1, tzinfo=UTC)

days = st.sampled_from([1, 2, 15, 28, 29, 30, 31])
zones = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"])
channels = st.sampled_from([*COSTED, *COSTED, *MESSAGES])
quantities = st.sampled_from([1, 1, 2, 5, 1_000_000])
costs = st.sampled_from([None, None, "0", "0.0109", "0.1", "0.2", "0.000000001", "1.5", "999999.999999999"])
ids = st.integers(1, 30).map("e{}".format)
sources = st.sampled_from(["api", "api", "api", "gateway"])
ttls = st.sampled_from([1, 60, 900, 86_400])
picks = st.integers(0, 29)
moments = st.sampled_from(
    ["unsaid", "unsaid", "now", "ago", "start", "before", "closed", "edge", "ahead", "too far", "too early"]
)
batches = st.lists(st.tuples(ids, sources, channels, quantities, costs, moments), min_size=1, max_size=3)
costed = st.tuples(
    ids,
    sources,
    st.sampled_from(COSTED),
    quantities,
    st.none() | costs,
    st.sampled_from(["unsaid", "start", "before", "closed", "edge"]),
)
SKEWS = st.sampled_from([timedelta(seconds=6), timedelta(seconds=-6), timedelta(minutes=4), timedelta(minutes=-4)])
caps = st.fixed_dictionaries(
    {},
    optional={
        "messageCap": st.sampled_from([0, 3, 10, 1_000_001]),
        "budgetCap": st.sampled_from([0, 0.3, 2.3002375, 10, 2_000_000]),
        "channelCaps": st.dictionaries(channels, st.sampled_from([0, 2, 7, 1_000_000]), max_size=3),
        "enforcement": st.sampled_from(["observe", "block", "block", "block", "lock"]),
    },
)


def in_nanos(limits):
    """Read caps, with what is left out."""
    budget = {"budgetCap": nanos(limits["budgetCap"])} if "budgetCap" in limits else {}
    return {"channelCaps": {}, "enforcement": "block", **limits, **budget}


class Machine(Checks, RuleBasedStateMachine):
    steps = examples = 0

    def __init__(self, server, operator, http):
        super().__init__()
        self.server, self.http = server, http
        self.operator = Client(server.url, operator, http)
        self.model, self.sound = None, False
        Machine.examples += 1

    def pick(self, found, number):
        return sorted(found)[number % len(found)]

    def has_events(self):
        return self.model is not None and self.model.events

    def has_holds(self):
        return self.model is not None and self.model.holds

    def moment(self, name):
        """Return a time by where it lies."""
        now, (start, end) = self.model.now, self.model.cycle(self.model.now)
        return {
            "unsaid": None,
            "now": now,
            "ago": now - timedelta(hours=30),
            "start": start,
            "before": start - TICK,
            "closed": start - timedelta(days=20),
            "edge": min(end, now + timedelta(minutes=5)),
            "ahead": now + timedelta(minutes=5),
            "too far": now + timedelta(minutes=5) + TICK,
            "too early": self.model.starts_at - TICK,
        }[name]

    # The rules

    @initialize(
        now=st.sampled_from(BEGINNINGS),
        day=days,
        zone=zones,
        behind=st.sampled_from([0, 20, 75, 75]),
        limits=caps,
        sent=batches,
    )
    def found(self, now, day, zone, behind, limits, sent):
        """Begin with some events and a hold, whatever rules this example is left with."""
        starts_at = now - timedelta(days=behind)
        self.server.clock.now = now
        asked = {"name": "Modelled", "anchorDay": day, "timezone": zone, "startsAt": text(starts_at), "limits": limits}
        made = self.ask("POST", "/organizations", 201, client=self.operator, json=asked)
        self.client = Client(self.server.url, made["apiKey"], self.http)
        self.organization = organizations.get(self.server.store, made["organizationId"])
        self.key_id = self.ask("GET", "/organization/keys", 200)["items"][0]["keyId"]
        self.model = Model(now, starts_at, (day, zone))
        self.model.caps = in_nanos(limits)
        self.record(sent)
        self.place(1, sent[0][2], 1, "0.1", 60)

    @rule(sent=batches)
    def record(self, sent):
        self.record_batch([self.event(*each) for each in sent])

    @rule(one=costed, other=costed)
    def record_costed(self, one, other):
        self.record_batch([self.event(*one)])
        self.record_batch([self.event(*other)])

    @precondition(lambda self: self.has_events())
    @rule(pick=picks, changed=st.sampled_from([None, None, "quantity", "cost", "occurredAt", "channel"]))
    def replay(self, pick, changed):
        """The same event again, or with other content; with another event, which shares its fate."""
        stored = self.model.events[self.pick(self.model.events, pick)]
        sent = dict(stored.sent)
        if changed == "cost":
            sent["cost"] = "0.7" if sent["channel"] in COSTED else None
        elif changed == "occurredAt":
            sent["occurredAt"] = stored.recorded if sent["occurredAt"] else stored.recorded - TICK
        elif changed:
            sent[changed] = {"quantity": 3, "channel": "PUSH"}[changed]
            sent["cost"] = None if changed == "channel" else sent["cost"]
        self.record_batch([sent, self.event("with", "replays", "PUSH", 1, None, "unsaid")])

    @precondition(lambda self: self.has_events())
    @rule(pick=picks)
    def void(self, pick):
        key = self.pick(self.model.events, pick)
        found = self.ask("POST", self.path(key, "void"), self.model.void(key), json={"reason": "a mistake"})
        self.check_event(key, found)

    @precondition(lambda self: self.has_events())
    @rule(pick=picks, cost=costs.filter(bool))
    def settle(self, pick, cost):
        key = self.pick(self.model.events, pick)
        found = self.ask("PUT", self.path(key, "cost"), self.model.settle(key, nanos(cost)), json={"cost": cost})
        self.check_event(key, found)

    @rule(
        number=st.integers(1, 30),
        channel=channels,
        quantity=quantities,
        cost=st.one_of(costs, costs.filter(bool)),
        ttl=ttls,
    )
    def place(self, number, channel, quantity, cost, ttl):
        cost = cost if channel in COSTED else None
        asked = {"id": f"h{number}", "channel": channel, "quantity": quantity, "estimatedCost": cost, "ttlSeconds": ttl}
        self.place_hold(asked)

    @rule(channel=channels, quantity=quantities, count=st.integers(2, 5), ttl=ttls)
    def place_many(self, channel, quantity, count, ttl):
        """Of holds that are all alike, until there is no room."""
        for number in range(count):
            cost = "0.1" if channel in COSTED else None
            asked = {"id": f"m{self.model.now.timestamp()}-{number}", "channel": channel, "quantity": quantity}
            self.place_hold(asked | {"estimatedCost": cost, "ttlSeconds": ttl})

    @precondition(lambda self: self.has_holds())
    @rule(pick=picks, ttl=st.sampled_from([None, None, 77]))
    def place_again(self, pick, ttl):
        asked = self.model.holds[self.pick(self.model.holds, pick)].asked
        self.place_hold({**asked, "ttlSeconds": ttl or asked["ttlSeconds"]})

    @precondition(lambda self: self.has_holds())
    @rule(
        pick=picks,
        other=st.sampled_from([None, None, *range(1, 31)]),
        quantity=quantities | st.none(),
        cost=st.none() | costs,
        moment=st.sampled_from(["unsaid", "unsaid", "now", "edge", "ahead", "start", "before", "too far"]),
    )
    def settle_hold(self, pick, other, quantity, cost, moment):
        """Also at a time ahead of the clock, in the next cycle perhaps."""
        self.settle_as(self.pick(self.model.holds, pick), other and f"e{other}", quantity, cost, self.moment(moment))

    @rule(channel=channels, quantity=quantities, count=st.integers(2, 4), name=ids, by=SKEWS)
    def fill_the_next_cycle_from_this_one(self, channel, quantity, count, name, by):
        """Holds of the last minutes, each settled into the next cycle, by servers whose clocks differ."""
        end, cost = self.model.cycle(self.model.now)[1], "0.1" if channel in COSTED else None
        self.move_to(end - timedelta(minutes=2))
        for number in range(count):
            hold_id = f"{name}-{self.model.now.timestamp()}-{number}"
            asked = {"id": hold_id, "channel": channel, "quantity": quantity, "ttlSeconds": 900}
            self.place_hold(asked | {"estimatedCost": cost})
            self.skew(by)
            if hold_id in self.model.holds:
                self.settle_as(hold_id, None, None, cost, end)
            self.skew(-by)

    @rule(by=SKEWS | st.sampled_from([timedelta(hours=-1), timedelta(days=-2)]))
    def meet_a_server_with_another_clock(self, by):
        """Its clock may be behind the one that the last decision went by, or be set right by much more."""
        self.skew(by)

    @precondition(lambda self: self.has_events())
    @rule(picked=st.lists(picks, min_size=1, max_size=4), channel=channels, quantity=quantities)
    def take_back_what_is_closed_and_ask_for_its_room(self, picked, channel, quantity):
        self.move_to(self.model.cycle(self.model.now)[1] + CLOSES_AFTER)
        for pick in picked:
            key = self.pick(self.model.events, pick)
            found = self.ask("POST", self.path(key, "void"), self.model.void(key), json={"reason": "a mistake"})
            self.check_event(key, found)
        for number in range(3):
            asked = {"id": f"r{self.model.now.timestamp()}-{number}", "channel": channel, "quantity": quantity}
            self.place_hold(asked | {"estimatedCost": "0.1" if channel in COSTED else None, "ttlSeconds": 900})

    @precondition(lambda self: self.has_holds())
    @rule(pick=picks, cost=st.none() | costs)
    def settle_hold_twice(self, pick, cost):
        hold_id = self.pick(self.model.holds, pick)
        self.settle_as(hold_id, None, None, cost)
        self.check()
        self.settle_as(hold_id, None, None, cost)

    @precondition(lambda self: self.has_holds())
    @rule(pick=picks)
    def release(self, pick):
        hold_id = self.pick(self.model.holds, pick)
        found = self.ask("POST", f"{HOLDS}/{hold_id}/release", self.model.release(hold_id))
        self.check_hold(hold_id, found)

    @rule(wanted=caps)
    def put_limits(self, wanted):
        found = self.ask("PUT", LIMITS, 200, json=wanted)
        after = in_nanos(wanted)
        self.model.audited += ["limits.changed"] if after != self.model.caps else []
        self.model.caps = after
        self.check_limits(found)

    @rule(channel=channels | st.none(), start=moments.filter(lambda name: name != "unsaid"), end=moments)
    def search(self, channel, start, end):
        start, end = self.moment(start), self.moment(end)
        query = f"&channel={channel}" if channel else ""
        query += f"&from={text(start)}" + (f"&to={text(end)}" if end else "")
        self.check_search(2, query, channel=channel, start=start, end=end)

    @rule(day=days, zone=zones | st.none())
    def change_anchor(self, day, zone):
        wanted = {"anchorDay": day, **({"timezone": zone} if zone else {})}
        path = f"/organizations/{self.organization.organization_id}"
        found = self.ask("PATCH", path, 200, client=self.operator, json=wanted)
        before = self.model.anchor
        self.model.reanchor((day, zone or before[1]))
        self.model.audited += ["organization.changed"] if self.model.anchor != before else []
        now, following = self.model.anchors[self.model.cycle(self.model.now)[0]], self.model.next_anchor()
        assert (found["anchorDay"], found["timezone"]) == now
        assert found.get("nextAnchor") == (following and anchor_json(*following))

    @rule(event_id=ids, day=days, zone=zones)
    def change_anchor_after_the_next_cycle_began(self, event_id, day, zone):
        """An event that is a little ahead writes the next cycle down, which then moves no more."""
        self.move_to(self.model.cycle(self.model.now)[1] - timedelta(minutes=4))
        self.record_batch([self.event(event_id, "api", "CALL", 1, None, "edge")])
        self.check()
        self.change_anchor(day, zone)

    @rule(by=st.sampled_from([TICK, timedelta(seconds=61), timedelta(hours=30), timedelta(days=9)]))
    def wait(self, by):
        self.move_to(self.model.now + by)

    @precondition(lambda self: self.model is not None and self.model.standing_holds())
    @rule(pick=picks, early=st.booleans())
    def wait_for_expiry(self, pick, early):
        expiries = {hold.expires for hold in self.model.standing_holds()}
        self.move_to(self.pick(expiries, pick) - early * TICK)

    @rule(early=st.booleans())
    def wait_for_next_cycle(self, early):
        self.move_to(self.model.cycle(self.model.now)[1] - early * TICK)

    @rule(early=st.booleans(), event_id=ids, channel=channels)
    def wait_for_close(self, early, event_id, channel):
        """The last moment of a closing cycle, or the first after it; an event of that cycle shows which."""
        start, end = self.model.cycle(self.model.now)
        closes = start + CLOSES_AFTER
        self.move_to((closes if closes - TICK > self.model.now else end + CLOSES_AFTER) - early * TICK)
        self.record_batch([self.event(event_id, "api", channel, 1, None, "before")])

    # How the rules ask

    def event(self, event_id, source, channel, quantity, cost, moment):
        cost = cost if channel in COSTED else None
        occurred_at = self.moment(moment)
        return {
            "id": event_id, "source": source, "channel": channel,
            "quantity": quantity, "cost": cost, "occurredAt": occurred_at,
        }  # fmt: skip

    def skew(self, by):
        """Ask a server whose clock differs, from now on."""
        self.model.now = self.server.clock.now = max(self.model.now + by, self.model.starts_at + TICK)

    def move_to(self, instant):
        self.model.now = self.server.clock.now = max(instant, self.model.now)

    def path(self, key, action):
        return f"{EVENTS}/{key[1]}/{action}?source={key[0]}"

    def record_batch(self, batch):
        status, outcomes = self.model.record(batch)
        found = self.ask("POST", EVENTS, status, json={"events": [written(sent) for sent in batch]})
        if status == 200:
            assert [each["outcome"] for each in found["events"]] == outcomes
            assert (found["duplicates"], found["late"]) == (outcomes.count("duplicate"), outcomes.count("late"))

    def place_hold(self, asked):
        status = self.model.hold(asked)
        found = self.ask("POST", HOLDS, status, json=written(asked))
        if status in (200, 201):
            self.check_hold(asked["id"], found)
        if status == 201 and self.model.caps["enforcement"] != "observe":
            touched = {asked["channel"], "budgetCap" if asked["channel"] in COSTED else "messageCap"}
            for each in self.ask("GET", LIMITS, 200)["standings"]:
                counted = each["used"] + each.get("returned", 0) + each["held"]
                assert each["cap"] not in touched or counted <= each["limit"], each

    def settle_as(self, hold_id, event_id, quantity, cost, occurred_at=None):
        asked = self.model.holds[hold_id].asked
        said = {"quantity": quantity, "cost": cost, "eventId": event_id, "occurredAt": occurred_at}
        event = {"id": event_id or hold_id, "source": "api", "channel": asked["channel"], "occurredAt": occurred_at}
        status = self.model.settle_hold(hold_id, {**event, "quantity": quantity or asked["quantity"], "cost": cost})
        found = self.ask("POST", f"{HOLDS}/{hold_id}/settle", status, json=written(said))
        self.check_hold(hold_id, found)

    # What must be so after every step

    @invariant()
    def every_answer_is_the_models(self):
        if self.model is not None:
            Machine.steps += 1
            self.check()

    def teardown(self):
        if not self.sound:
            return
        # Nothing sweeps: what is held ends by itself.
        self.move_to(max([self.model.now, *(hold.expires for hold in self.model.holds.values())]))
        assert not self.model.standing_holds()
        self.check()
        entries = audit.newest(self.server.store, self.organization.number, 1_000)
        assert sorted(entry.action for entry in entries) == sorted(self.model.audited)
