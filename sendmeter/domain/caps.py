"""Caps: how much an organization may use in a cycle, and what happens when it is used up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sendmeter.domain.channels import COSTED_CHANNELS, MESSAGE_CHANNELS
from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import nano_usd, usd, usd_text
from sendmeter.domain.usage import Counter, Usage

ENFORCEMENTS = ("observe", "block", "lock")
"""`observe` never refuses; `block` refuses holds past a cap; `lock` refuses reading usage too once one is reached."""
MESSAGE_CAP, BUDGET_CAP = "messageCap", "budgetCap"


@dataclass(frozen=True, slots=True)
class Standing:
    """How one cap stands in the running cycle. `cap` is its name in the contract, or its channel.

    `held` includes what is recorded for cycles that have not begun and, of the budget cap, what pending costs were
    estimated at. `returned` is what earlier cycles got back: `used` is less by it, and it buys no room. Amounts of the
    budget cap are nano-USD.
    """

    cap: str
    limit: int
    used: int
    held: int
    returned: int = 0

    @property
    def remaining(self) -> int:
        """What may still be held."""
        return max(0, self.limit - self._used_here - self.held)

    @property
    def _used_here(self) -> int:
        """What is used of the cycle itself, whatever earlier cycles got back."""
        return self.used + self.returned

    @property
    def reached(self) -> str | None:
        """Say that the cap is used up; None where it is not."""
        if self._used_here < self.limit:
            return None
        return f"The {self.name} is reached, with {self._amount_text(self._used_here)} used."

    def refused(self, asked: int) -> str | None:
        """Say that there is no room for what is asked; None where there is."""
        if self._used_here + self.held + asked <= self.limit:
            return None
        told = f"{self._amount_text(self._used_here)} used and {self._amount_text(self.held)} held"
        return f"The {self.name} has no room for {self._amount_text(asked)} more, with {told}."

    @property
    def name(self) -> str:
        """Name the cap in words."""
        kinds = {MESSAGE_CAP: "message cap of {}", BUDGET_CAP: "budget cap of {}"}
        return kinds.get(self.cap, f"cap of {{}} on {self.cap}").format(self._amount_text(self.limit))

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `CapStanding`."""
        amounts = {"limit": self.limit, "used": self.used, "held": self.held, "remaining": self.remaining}
        amounts |= {"returned": self.returned} if self.returned else {}
        if self.cap == BUDGET_CAP:
            return {"cap": self.cap, **{name: usd(amount) for name, amount in amounts.items()}}
        return {"cap": self.cap, **amounts}

    def _amount_text(self, amount: int) -> str:
        return f"{usd_text(amount)} USD" if self.cap == BUDGET_CAP else str(amount)


@dataclass(frozen=True, slots=True)
class Caps:
    """An organization's caps for each cycle; None and absent mean none."""

    messages: int | None = None
    budget_nano_usd: int | None = None
    channels: Mapping[str, int] = field(default_factory=dict)
    enforcement: str = "block"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Caps":
        """Read the contract's `Limits`."""
        return cls(
            messages=value.get("messageCap"),
            budget_nano_usd=nano_usd(value["budgetCap"]) if "budgetCap" in value else None,
            channels=value.get("channelCaps", {}),
            enforcement=value.get("enforcement", "block"),
        )

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `Limits`: caps that there are not are left out."""
        caps: dict[str, Any] = {
            MESSAGE_CAP: self.messages,
            BUDGET_CAP: None if self.budget_nano_usd is None else usd(self.budget_nano_usd),
            "channelCaps": dict(self.channels) or None,
        }
        return {name: cap for name, cap in caps.items() if cap is not None} | {"enforcement": self.enforcement}

    @property
    def wants_estimates(self) -> bool:
        """Whether a hold of SMS or calls must say what they will cost."""
        return self.budget_nano_usd is not None and self.enforcement != "observe"

    def standings(self, usage: Usage, held: Usage) -> list[Standing]:
        """Return how each cap stands; `held` is added up like usage."""
        limits = {MESSAGE_CAP: self.messages, BUDGET_CAP: self.budget_nano_usd, **self.channels}
        return [
            Standing(cap, limit, _amount(cap, usage), _amount(cap, held), _returned(cap, usage))
            for cap, limit in limits.items()
            if limit is not None
        ]

    def reached(self, usage: Usage) -> list[str]:
        """Say of each cap that is reached how much of it is used."""
        standings = self.standings(usage, held=Usage.of(usage.cycle, []))
        return [said for standing in standings if (said := standing.reached)]

    def locked(self, usage: Usage) -> str | None:
        """Say why reading usage is refused; None where it is not."""
        if self.enforcement != "lock":
            return None
        return _with_end_of_cycle(self.reached(usage), usage)

    def refused(self, usage: Usage, held: Usage, asked: Counter) -> str | None:
        """Say why what is asked may not be held; None where it may: it stays within every cap that it touches."""
        if self.enforcement == "observe":
            return None
        touched = {asked.channel, BUDGET_CAP if asked.channel in COSTED_CHANNELS else MESSAGE_CAP}
        alone = Usage.of(usage.cycle, [asked])
        said = [
            refused
            for standing in self.standings(usage, held)
            if standing.cap in touched and (refused := standing.refused(_amount(standing.cap, alone)))
        ]
        return _with_end_of_cycle(said, usage)


def _amount(cap: str, usage: Usage) -> int:
    """Return what counts towards a cap: messages, nano-USD, or the quantity of one channel."""
    if cap == MESSAGE_CAP:
        return usage.messages
    return usage.cost_nano_usd if cap == BUDGET_CAP else usage.counters[cap].quantity


def _returned(cap: str, usage: Usage) -> int:
    """Return how much less counts towards a cap because of what earlier cycles got back."""
    if cap == BUDGET_CAP:
        return sum(usage.counters[channel].returned_nano_usd for channel in COSTED_CHANNELS)
    channels = MESSAGE_CHANNELS if cap == MESSAGE_CAP else (cap,)
    return sum(usage.counters[channel].returned_quantity for channel in channels)


def _with_end_of_cycle(said: list[str], usage: Usage) -> str | None:
    return " ".join([*said, f"The cycle ends at {instant_text(usage.cycle.end)}."]) if said else None
