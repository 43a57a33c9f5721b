"""What senders send: requests of every kind, drawn at random, each with what is so once it is done.

What a request in doubt is about is not touched again until it is known.
"""

import itertools
import json
from dataclasses import replace

from tests.proof.crash_journal import COSTED, MESSAGES, Event, Hold, Request
from tests.proof.crash_responses import usd

EVENTS, HOLDS = "/organization/usage/events", "/organization/usage/holds"
SCARCE = "SLACK"
"""A channel that is used through holds only, under a cap that is soon full."""
PLAIN = tuple(channel for channel in (*MESSAGES, *COSTED) if channel != SCARCE)
TTL_SECONDS = 86_400
MOST_OPEN = 200
"""As many events and holds a sender goes on with; what is older stays as it is."""


class Requests:
    """What one sender sends; `shared` gives numbers of events that all senders report."""

    def __init__(self, name, journal, chance, shared):
        self.name, self.journal, self.chance, self.shared = name, journal, chance, shared
        self.numbers = itertools.count()
        # What may be corrected, settled or released: nothing of it is in doubt.
        self.events, self.holds = [], []
        self.kinds = {
            self.record_one: 20,
            self.record_batch: 14,
            self.record_cloud_event: 6,
            self.record_cloud_events: 4,
            self.conflict: 3,
            self.set_cost: 10,
            self.void: 6,
            self.place: 16,
            self.settle: 14,
            self.release: 7,
        }

    def draw(self):
        """Make a request of some kind."""
        (kind,) = self.chance.choices(list(self.kinds), list(self.kinds.values()))
        return kind() or self.record_one()

    def done(self, request):
        """Go on with what a request that was done is about."""
        for key in request.own:
            state = request.after[key]
            if isinstance(state, Event) and not state.voided and key not in self.events:
                self.events.append(key)
            elif isinstance(state, Hold) and state.state == "held" and key not in self.holds:
                self.holds.append(key)
        del self.events[:-MOST_OPEN], self.holds[:-MOST_OPEN]

    def _new(self, channel=None):
        """Return the id of a new event, what is sent of it, and what it is then."""
        event_id = f"{self.name}-{next(self.numbers)}"
        channel = channel or self.chance.choice(PLAIN)
        quantity = self.chance.randint(1, 9)
        cost = self._amount() if channel in COSTED and self.chance.random() < 0.6 else None
        sent = {"id": event_id, "channel": channel, "quantity": quantity}
        sent |= {} if cost is None else {"cost": usd(cost)}
        return event_id, sent, Event(channel, quantity, cost)

    def _amount(self):
        return self.chance.randint(1, 10**10)

    def _batch(self, size):
        """Make events to report together: new ones, one that others report too, and some twice."""
        sent, after = [], {}
        for _ in range(size):
            event_id, event, state = self._new()
            sent.append(event)
            after["event", "api", event_id] = state
        shared = frozenset()
        if self.chance.random() < 0.5:
            number = next(self.shared) // 4
            sent.append({"id": f"shared-{number}", "channel": "PUSH", "quantity": 1 + number % 5})
            shared = frozenset([("event", "api", f"shared-{number}")])
            after["event", "api", f"shared-{number}"] = Event("PUSH", 1 + number % 5, None)
        sent += self.chance.sample(sent, min(len(sent), self.chance.choice((0, 0, 1, 2))))
        self.chance.shuffle(sent)
        return sent, after, shared

    def record_one(self):
        event_id, sent, state = self._new()
        return Request("POST", EVENTS, _json({"events": [sent]}), {("event", "api", event_id): state})

    def record_batch(self):
        sent, after, shared = self._batch(self.chance.choice((2, 3, 8, 30, 90)))
        return Request("POST", EVENTS, _json({"events": sent}), after, shared=shared)

    def _cloud_event(self):
        event_id, sent, state = self._new()
        source = f"/senders/{self.name}"
        data = {name: value for name, value in sent.items() if name != "id"}
        said = {"specversion": "1.0", "id": event_id, "source": source, "type": "com.example.sent", "data": data}
        return ("event", source, event_id), said, state

    def record_cloud_event(self):
        key, said, state = self._cloud_event()
        return Request("POST", EVENTS, _json(said), {key: state}, "application/cloudevents+json")

    def record_cloud_events(self):
        made = [self._cloud_event() for _ in range(self.chance.randint(2, 12))]
        after = {key: state for key, _, state in made}
        return Request(
            "POST", EVENTS, _json([said for _, said, _ in made]), after, "application/cloudevents-batch+json"
        )

    def conflict(self):
        """Report a known id with other content beside new events: nothing of it is stored, however often it is sent."""
        known = [key for key in self.events if key[1] == "api"]
        if not known:
            return None
        known = self.chance.choice(known)
        channel = self.journal.states[known].channel
        other = {"id": known[2], "channel": channel, "quantity": 1_000}
        return Request("POST", EVENTS, _json({"events": [self._new()[1], other, self._new()[1]]}), {}, refusals=(409,))

    def set_cost(self):
        costed = [key for key in self.events if self.journal.states[key].channel in COSTED]
        costed = [key for key in costed if len(self.journal.states[key].corrections) < 10]
        if not costed:
            return None
        key = self._take(self.events, self.chance.choice(costed))
        before, cost = self.journal.states[key], self._amount()
        corrections = before.corrections
        if cost != before.cost:
            corrections = (*corrections, ("settle", cost))
        after = replace(before, cost=cost, corrections=corrections)
        return Request("PUT", _path(key, "cost"), _json({"cost": usd(cost)}), {key: after})

    def void(self):
        if not self.events:
            return None
        key = self._take(self.events, self.chance.choice(self.events))
        before = self.journal.states[key]
        after = replace(before, voided=True, corrections=(*before.corrections, ("void", None)))
        # A retry of what was done is told by 409 that it was.
        return Request("POST", _path(key, "void"), _json({"reason": "a crash"}), {key: after}, done_again=(409,))

    def place(self):
        hold_id = f"hold-{self.name}-{next(self.numbers)}"
        channel = self.chance.choice((*PLAIN, SCARCE, SCARCE))
        quantity = self.chance.randint(1, 9)
        estimate = self._amount() if channel in COSTED else None
        asked = {"id": hold_id, "channel": channel, "quantity": quantity, "ttlSeconds": TTL_SECONDS}
        asked |= {} if estimate is None else {"estimatedCost": usd(estimate)}
        refusals = (402,) if channel == SCARCE else ()
        return Request(
            "POST", HOLDS, _json(asked), {("hold", hold_id): Hold(channel, quantity, estimate)}, refusals=refusals
        )

    def settle(self):
        if not self.holds:
            return None
        key = self._take(self.holds, self.chance.choice(self.holds))
        hold, sent = self.journal.states[key], {}
        cost = self._amount() if hold.channel in COSTED and self.chance.random() < 0.6 else None
        sent |= {} if cost is None else {"cost": usd(cost)}
        event_id = f"sent-{key[1]}" if self.chance.random() < 0.5 else key[1]
        sent |= {} if event_id == key[1] else {"eventId": event_id}
        quantity = hold.quantity
        if self.chance.random() < 0.3:
            # No more than was held, so that the scarce channel stays within its cap.
            quantity = sent["quantity"] = self.chance.randint(1, hold.quantity)
        event = ("event", "api", event_id)
        estimate = 0 if cost is not None or hold.estimate is None else hold.estimate
        after = {
            key: replace(hold, state="settled", event=event),
            event: Event(hold.channel, quantity, cost, estimate=estimate),
        }
        return Request("POST", f"{HOLDS}/{key[1]}/settle", _json(sent), after)

    def release(self):
        if not self.holds:
            return None
        key = self._take(self.holds, self.chance.choice(self.holds))
        after = {key: replace(self.journal.states[key], state="released")}
        return Request("POST", f"{HOLDS}/{key[1]}/release", None, after)

    def _take(self, pool, key):
        pool.remove(key)
        return key


def _json(value):
    return json.dumps(value).encode()


def _path(key, action):
    return f"{EVENTS}/{key[2]}/{action}?source={key[1]}"
