"""Caps: how much an organization may use in a cycle, and what happens when it is used up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import usd_text
from sendmeter.domain.usage import Usage

ENFORCEMENTS = ("observe", "block", "lock")
"""`observe` never refuses; `block` refuses holds past a cap; `lock` refuses reading usage too once one is reached."""


@dataclass(frozen=True, slots=True)
class Caps:
    """An organization's caps for each cycle; None and absent mean none."""

    messages: int | None = None
    budget_nano_usd: int | None = None
    channels: Mapping[str, int] = field(default_factory=dict)
    enforcement: str = "block"

    def reached(self, usage: Usage) -> list[str]:
        """Say of each cap that is reached how much of it is used."""
        said = []
        if self.messages is not None and usage.messages >= self.messages:
            said.append(f"The message cap of {self.messages} is reached, with {usage.messages} used.")
        if self.budget_nano_usd is not None and usage.cost_nano_usd >= self.budget_nano_usd:
            cap, used = usd_text(self.budget_nano_usd), usd_text(usage.cost_nano_usd)
            said.append(f"The budget cap of {cap} USD is reached, with {used} USD used.")
        for channel, cap_of_channel in self.channels.items():
            quantity = usage.counters[channel].quantity
            if quantity >= cap_of_channel:
                said.append(f"The cap of {cap_of_channel} on {channel} is reached, with {quantity} used.")
        return said

    def locked(self, usage: Usage) -> str | None:
        """Say why reading usage is refused; None where it is not."""
        if self.enforcement != "lock":
            return None
        reached = self.reached(usage)
        if not reached:
            return None
        return " ".join([*reached, f"The cycle ends at {instant_text(usage.cycle.end)}."])
