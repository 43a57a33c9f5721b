"""What a change does to those who send and to those who read: the same change may break the one and not the other."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Side = Literal["requests", "answers"]


class Effect(Enum):
    """What becomes of the values that are allowed. Each knows whether it breaks who sends them, and who reads them."""

    NARROWER = (True, False)  # a sender's value may be refused now; a reader sees nothing new
    WIDER = (False, True)  # a reader may see what it never saw; a sender's values are still taken
    OTHER = (True, True)
    NEITHER = (False, False)

    def breaks(self, side: Side) -> bool:
        """Tell whether it breaks a client on one side of it."""
        return self.value[side == "answers"]

    def in_words(self, side: Side) -> str:
        """Say what a client sees of it."""
        return _WORDS[side][self]


_WORDS: dict[Side, dict[Effect, str]] = {
    "requests": {
        Effect.NARROWER: "refuses what was taken before",
        Effect.WIDER: "takes more than before",
        Effect.OTHER: "takes something else than before",
        Effect.NEITHER: "takes what it took before",
    },
    "answers": {
        Effect.NARROWER: "answers no more than before",
        Effect.WIDER: "may answer what no client has seen",
        Effect.OTHER: "answers something else than before",
        Effect.NEITHER: "clients pass over what they do not know",
    },
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two schemas: where, what, and its effect."""

    where: str
    what: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a contract: where, what, whether it breaks a client, and of which operations."""

    where: str
    what: str
    breaks: bool
    operations: tuple[str, ...] = ()
