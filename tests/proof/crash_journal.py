"""What senders know: what they sent, what was acknowledged, what is in doubt; and what all of it adds up to.

Nothing of the product is used here. Amounts are integers of nano-USD.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field

MESSAGES, COSTED = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK"), ("SMS", "CALL")


@dataclass(frozen=True)
class Event:
    """An event as the server should tell it. The estimate of the hold that it came from is told in the limits only."""

    channel: str
    quantity: int
    cost: int | None
    voided: bool = False
    corrections: tuple = ()  # (kind, cost) of each, oldest first
    estimate: int = field(default=0, compare=False)

    @property
    def pending(self):
        return self.channel in COSTED and self.cost is None and not self.voided


@dataclass(frozen=True)
class Hold:
    """A hold as the server should tell it; `event` is the key of the event that it was settled into."""

    channel: str
    quantity: int
    estimate: int | None
    state: str = "held"
    event: tuple | None = None


@dataclass
class Request:
    """A request, to be sent as it is however often; `after` says what is so once it is done, by key.

    A key is `("event", source, id)` or `("hold", id)`. What other senders may send too is in `shared`. A status of
    `refusals` says that nothing came of it and never will; one of `done_again` that it was done before.
    """

    method: str
    path: str
    body: bytes | None
    after: dict
    media_type: str = "application/json"
    shared: frozenset = frozenset()
    refusals: tuple = ()
    done_again: tuple = ()
    tries: int = 0

    @property
    def own(self):
        return self.after.keys() - self.shared


class Journal:
    """The notes of all senders of one run."""

    def __init__(self):
        self.lock = threading.Lock()
        self.states = {}
        self.told_accepted = Counter()
        self.counts = Counter()
        self.faults = []
        self.touched_holds = set()

    def sent(self, request):
        with self.lock:
            again = request.tries > 0
            request.tries += 1
            self.counts["retries" if again else "requests"] += 1
            if not again:
                self.counts["events"] += sum(key[0] == "event" and key not in self.states for key in request.own)
            self.touched_holds |= {key for key in request.after if key[0] == "hold"}

    def acknowledged(self, request, status, outcomes=()):
        """Note an answer: what the request says is so, or never will be."""
        with self.lock:
            self.counts["acknowledged"] += 1
            self.counts["acknowledged at once"] += request.tries == 1
            for key, outcome in outcomes:
                self.told_accepted[key] += outcome == "accepted"
            if status not in request.refusals:
                self.states.update(request.after)

    def unacknowledged(self, request):
        with self.lock:
            self.counts["unacknowledged"] += request.tries == 1

    def fault(self, said):
        with self.lock:
            self.faults.append(said)


def amounts(states):
    """Add up, by channel, what events count: quantity, cost, and how many costs are pending."""
    sums = {channel: [0, 0, 0] for channel in (*MESSAGES, *COSTED)}
    for each in states.values():
        if isinstance(each, Event) and not each.voided:
            of_channel = sums[each.channel]
            of_channel[0] += each.quantity
            of_channel[1] += each.cost or 0
            of_channel[2] += each.pending
    return sums


def held(states):
    """Add up what is held, by the name of the cap that it counts towards."""
    sums = Counter()
    for each in states.values():
        if isinstance(each, Hold) and each.state == "held":
            sums[each.channel] += each.quantity
            if each.channel in MESSAGES:
                sums["messageCap"] += each.quantity
            sums["budgetCap"] += each.estimate or 0
        elif isinstance(each, Event) and each.pending:
            sums["budgetCap"] += each.estimate
    return sums
