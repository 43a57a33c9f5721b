"""What an organization used in a cycle or another period: counters added up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sendmeter.domain.channels import CHANNELS, MESSAGE_CHANNELS
from sendmeter.domain.cycles import Cycle
from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import usd

type_json = dict[str, int | str | Decimal | dict[str, int]]


@dataclass(frozen=True, slots=True)
class Counter:
    """What one channel adds up to.

    Messages, known cost, events whose cost is still pending, and what their holds had estimated those costs at.
    `returned_quantity` and `returned_nano_usd` are the part of the sums, as positive amounts, that late corrections
    took off for events of earlier, closed cycles. Caps add it back: it buys no room (docs/decisions/0014).
    """

    channel: str
    quantity: int
    cost_nano_usd: int
    pending: int
    estimated_nano_usd: int = 0
    returned_quantity: int = 0
    returned_nano_usd: int = 0

    @property
    def without_returns(self) -> "Counter":
        """What is known of the cycle itself, as if earlier cycles had got nothing back."""
        quantity, cost = self.quantity + self.returned_quantity, self.cost_nano_usd + self.returned_nano_usd
        return Counter(self.channel, quantity, cost, 0)

    def __add__(self, other: "Counter") -> "Counter":
        return Counter.total([self, other])

    @classmethod
    def total(cls, parts: Sequence["Counter"]) -> "Counter":
        """Add up what is of one channel; there is at least one."""
        return cls(
            parts[0].channel,
            sum([part.quantity for part in parts]),
            sum([part.cost_nano_usd for part in parts]),
            sum([part.pending for part in parts]),
            sum([part.estimated_nano_usd for part in parts]),
            sum([part.returned_quantity for part in parts]),
            sum([part.returned_nano_usd for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What an organization used in one cycle, by channel; periods of other kinds are cycles here, too."""

    cycle: Cycle
    counters: Mapping[str, Counter]

    @classmethod
    def of(cls, cycle: Cycle, counters: Iterable[Counter]) -> "Usage":
        """Add counters up: all seven channels are there, those without traffic with nothing."""
        found: dict[str, Counter] = {}
        for counter in counters:
            known = found.get(counter.channel)
            found[counter.channel] = known + counter if known else counter
        return cls(cycle, {name: found.get(name) or Counter(name, 0, 0, 0) for name in CHANNELS})

    @property
    def messages(self) -> int:
        """Messages sent: EMAIL + INAPP_WEB + WEB_PUSH + PUSH + SLACK."""
        return sum(self.counters[channel].quantity for channel in MESSAGE_CHANNELS)

    @property
    def cost_nano_usd(self) -> int:
        """Spent on SMS and calls, as far as it is known."""
        return self.counters["SMS"].cost_nano_usd + self.counters["CALL"].cost_nano_usd

    @property
    def pending(self) -> int:
        """Events whose cost is not known yet."""
        return sum(counter.pending for counter in self.counters.values())

    def amounts_to_json(self) -> type_json:
        """Write what the contract's `OrganizationUsage` and `UsagePeriod` have in common."""
        return {
            "messageUsage": self.messages,
            "budgetUsage": usd(self.cost_nano_usd),
            "costSms": usd(self.counters["SMS"].cost_nano_usd),
            "costCall": usd(self.counters["CALL"].cost_nano_usd),
            "channelUsages": {channel: counter.quantity for channel, counter in self.counters.items()},
            "pendingCosts": self.pending,
        }

    def to_json(self) -> type_json:
        """Write the contract's `OrganizationUsage`."""
        return {
            **self.amounts_to_json(),
            "billingCycleStart": instant_text(self.cycle.start),
            "billingCycleEnd": instant_text(self.cycle.end),
        }
