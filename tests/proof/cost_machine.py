"""What senders and providers do, in any order, with outages and kills; after each step all sums are the plain ones.

The model is a dict of messages: what was told of each, what its sender said, what somebody did by hand.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sendmeter.domain.events import UsageEvent
from sendmeter.errors import Unauthorized
from sendmeter.integrations.delivery import Delivery
from sendmeter.integrations.http_client import Outgoing
from sendmeter.services import corrections, events, providers, usage
from sendmeter.services.polling import Poller
from sendmeter.services.verify import differences
from tests.live import NOON
from tests.services.use_cases import founded

TELNYX = Ed25519PrivateKey.generate()
TELNYX_SETUP = {
    "publicKey": base64.b64encode(TELNYX.public_key().public_bytes_raw()).decode(),
}
TWILIO_SETUP = {"accountSid": f"AC{1:032x}", "authToken": "token"}
OUTAGES = ("unauthorized", "rate_limit", "fail", "close", "half", "redirect", "wrong_types", "html")
NANO = 10**9

numbers = st.integers(0, 3)
names = st.sampled_from(["telnyx", "twilio"])
# In millionths of USD, of which no two sums are the same by chance.
costs = st.integers(0, 40).map(lambda power: 3**power % 999_983)


class Killed(BaseException):
    """What a kill looks like from inside: nothing that comes after it is done."""


@dataclass
class Clock:
    now: object = NOON
    readings: int = 0
    deadly: int = 0

    def __call__(self):
        self.readings += 1
        if self.readings == self.deadly:
            raise Killed
        return self.now


@dataclass
class Message:
    """What is known of one message. `told` are costs in nano-USD with the time of the telling."""

    told: list = field(default_factory=list)
    reported: bool = False
    cost: int | None = None
    by_hand: int | None = None
    voided: bool = False
    price: int | None = None

    def known_cost(self):
        for cost in (self.by_hand, self.cost):
            if cost is not None:
                return cost
        return max(self.told)[1] if self.told else None


class Told(RuleBasedStateMachine):
    steps = 0

    def __init__(self, store, vault, standin, records):
        super().__init__()
        self.store, self.vault, self.standin, self.records = store, vault, standin, records
        self.clock = Clock()
        self.outgoing = Outgoing(test_url=standin.url, timeout_seconds=2)
        self.messages, self.deliveries = {}, []

    @initialize()
    def begin(self):
        self.standin.behave("well")
        self.standin.prices.clear()
        self.organization = founded(self.store)
        self.endpoints = {}
        for name, account in (("telnyx", TELNYX_SETUP), ("twilio", TWILIO_SETUP)):
            given = {**account, "records": self.records}
            number = self.organization.number
            made, _ = providers.add(self.store, self.vault, number, name, given, self.clock(), by="test")
            self.endpoints[name] = made.connection.endpoint_id

    def id_of(self, name, number):
        return f"00000000-0000-4000-8000-{number:012x}" if name == "telnyx" else f"SM{number:032x}"

    def message(self, name, number):
        return self.messages.setdefault((name, number), Message())

    def key(self, name, number):
        return (name, self.id_of(name, number)) if self.records else ("api", f"{name}-{number}")

    # What senders do

    @precondition(lambda self: not self.records)
    @rule(name=names, number=numbers, cost=st.none() | st.none() | costs)
    def report(self, name, number, cost):
        """An event, or the same event again, as its sender first sent it."""
        message = self.message(name, number)
        if not message.reported:
            message.reported, message.cost = True, None if cost is None else cost * 1000
        source, event_id = self.key(name, number)
        event = UsageEvent(source, event_id, "SMS", 1, message.cost, name, self.id_of(name, number), None, metadata={})
        events.record(self.store, self.organization.number, [("", event)], self.clock.now)

    @precondition(lambda self: any(each.reported for each in self.messages.values()))
    @rule(data=st.data(), cost=costs)
    def settle_by_hand(self, data, cost):
        where = data.draw(st.sampled_from(sorted(each for each, m in self.messages.items() if m.reported)))
        message = self.messages[where]
        if message.voided:
            return
        number, key = self.organization.number, self.key(*where)
        before = events.get(self.store, number, key)
        if len(before.corrections) < corrections.MOST_CORRECTIONS:
            after = corrections.settle(self.store, number, key, cost * 1000, None, self.clock.now, by="test")
            # The cost that it has already changes nothing: then nobody has set it by hand.
            if len(after.corrections) > len(before.corrections):
                message.by_hand = cost * 1000

    @precondition(lambda self: any(each.reported for each in self.messages.values()))
    @rule(data=st.data())
    def void(self, data):
        where = data.draw(st.sampled_from(sorted(each for each, m in self.messages.items() if m.reported)))
        if not self.messages[where].voided:
            key = self.key(*where)
            corrections.void(self.store, self.organization.number, key, "a mistake", self.clock.now, by="test")
            self.messages[where].voided = True

    # What providers do

    @rule(number=numbers, cost=st.none() | costs, ago=st.sampled_from([0, 0, 1, 2, 60]), sent=st.booleans())
    def deliver(self, number, cost, ago, sent):
        told_at = self.clock.now - timedelta(seconds=ago)
        amount = None if cost is None else {"amount": f"{cost // 10**6}.{cost % 10**6:06}", "currency": "USD"}
        payload = {
            "id": self.id_of("telnyx", number),
            "direction": "outbound",
            "type": "SMS",
            "to": [{"phone_number": "+18665550001", "status": "delivered"}],
            "cost": amount,
            "sent_at": NOON.isoformat(),
        }
        kind = "message.sent" if sent else "message.finalized"
        data = {
            "record_type": "event",
            "id": str(len(self.deliveries)),
            "event_type": kind,
            "occurred_at": told_at.isoformat(),
            "payload": payload,
        }
        body = json.dumps({"data": data}).encode()
        self.deliveries.append((number, None if cost is None else (told_at, cost * 1000), body))
        self.hand_over(*self.deliveries[-1])

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data())
    def deliver_again(self, data):
        self.hand_over(*data.draw(st.sampled_from(self.deliveries)))

    def hand_over(self, number, told, body):
        message = self.message("telnyx", number)
        if told is not None:
            message.told.append(told)
        if self.records:
            message.reported = True
        providers.receive(
            self.store, self.vault, self.outgoing, "telnyx", self.endpoints["telnyx"], self.signed(body), self.clock.now
        )

    def signed(self, body, key=TELNYX):
        timestamp = str(int(self.clock.now.timestamp()))
        headers = {
            "telnyx-timestamp": timestamp,
            "telnyx-signature-ed25519": base64.b64encode(key.sign(f"{timestamp}|".encode() + body)).decode(),
        }
        return Delivery("https://usage.example.com/x", headers, "application/json", body)

    @precondition(lambda self: self.deliveries)
    @rule(data=st.data())
    def forge(self, data):
        _, _, body = data.draw(st.sampled_from(self.deliveries))
        forged = self.signed(body.replace(b"0.", b"9."), Ed25519PrivateKey.generate())
        try:
            providers.receive(
                self.store, self.vault, self.outgoing, "telnyx", self.endpoints["telnyx"], forged, self.clock.now
            )
        except Unauthorized:
            return
        raise AssertionError("a forged delivery was taken")

    @rule(number=numbers, cost=costs)
    def price(self, number, cost):
        """Twilio knows a price from now on."""
        message = self.message("twilio", number)
        if message.price is None:
            message.price = cost * 1000
            self.standin.price("twilio", self.id_of("twilio", number), f"-{cost // 10**6}.{cost % 10**6:06}")

    @precondition(lambda self: not self.records)
    @rule(number=numbers, cost=costs)
    def report_and_price(self, number, cost):
        self.report("twilio", number, None)
        self.price(number, cost)

    @rule(name=names)
    def set_up_anew(self, name):
        account = TELNYX_SETUP if name == "telnyx" else TWILIO_SETUP
        given = {**account, "records": self.records}
        number = self.organization.number
        made, is_new = providers.add(self.store, self.vault, number, name, given, self.clock.now, by="test")
        assert (made.connection.endpoint_id, is_new) == (self.endpoints[name], False)

    # The worker

    @rule(outage=st.sampled_from(OUTAGES), times=st.integers(1, 3))
    def break_down(self, outage, times):
        self.standin.behave(outage, times=times)

    @rule(deadly=st.sampled_from([0, 0, *range(1, 16)]), minutes=st.sampled_from([0, 1, 3, 20]))
    def poll(self, deadly, minutes):
        """A worker asks, and may be killed at any moment; what it got to store is seen in the store."""
        self.clock.now += timedelta(minutes=minutes)
        self.clock.readings, self.clock.deadly = 0, deadly
        poller = Poller(
            self.store, self.vault, self.outgoing, self.clock, seconds=0, per_second=10_000, timeout_seconds=2
        )
        try:
            poller.round()
        except Killed:
            pass
        finally:
            self.clock.deadly = 0
        for (name, number), message in self.messages.items():
            if name == "twilio" and message.price is not None and not message.told and self.is_told(number):
                message.told.append((self.clock.now, message.price))

    def is_told(self, number):
        statement = "SELECT cost_nano_usd FROM provider_messages WHERE organization_id = ? AND message_id = ?"
        parameters = (self.organization.number, self.id_of("twilio", number))
        row = self.store.read(lambda: self.store.execute(statement, parameters).fetchone())
        return row is not None and row[0] is not None

    @rule(minutes=st.sampled_from([1, 10, 400]))
    def wait(self, minutes):
        self.clock.now += timedelta(minutes=minutes)

    # What must be so after every step

    @invariant()
    def the_sums_are_the_plain_ones(self):
        if not hasattr(self, "organization"):
            return
        Told.steps += 1
        counted = [each for each in self.messages.values() if each.reported and not each.voided]
        known = [each.known_cost() for each in counted]
        now, number = self.clock.now, self.organization.number
        found = usage.get(self.store, number, now, known_costs=True, grace_seconds=0)
        sums = found.counters["SMS"]
        assert sums.quantity == len(counted)
        assert sums.cost_nano_usd == sum(cost for cost in known if cost is not None)
        assert sums.pending == known.count(None)
        assert differences(self.store, self.organization) == []

    def teardown(self):
        """When all is well again, every price that a provider knows is counted."""
        if not hasattr(self, "organization"):
            return
        self.standin.behave("well")
        for _ in range(12):
            self.poll(0, 20)
        self.clock.now += timedelta(hours=9)
        self.poll(0, 1)
        for (name, number), message in self.messages.items():
            if name == "twilio" and message.reported and message.price is not None and not message.voided:
                assert message.known_cost() is not None, self.id_of(name, number)
        self.the_sums_are_the_plain_ones()
        for name in self.endpoints:  # the next example's worker has nothing to do with them
            providers.remove(self.store, self.organization.number, name, self.clock.now, by="test")
        self.outgoing.close()
