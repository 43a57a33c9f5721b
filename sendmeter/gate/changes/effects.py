"""What a change does to those who send and to those who read: the same change may break the one and not the other."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Side = Literal["requests", "answers"]


class Effect(Enum):
    """What becomes of the values that are allowed: whether it breaks who sends them, and who reads them, and how."""

    NARROWER = (True, "refuses what was taken before"), (False, "answers no more than before")
    WIDER = (False, "takes more than before"), (True, "may answer what no client has seen")
    OTHER = (True, "takes something else than before"), (True, "answers something else than before")
    NEITHER = (False, "takes what it took before"), (False, "clients pass over what they do not know")
    UNSAID = (True, "what is left out means something else now"), (False, "answers what it answered before")

    def breaks(self, side: Side) -> bool:
        """Return whether it breaks a client on one side of it."""
        return self.value[side == "answers"][0]

    def in_words(self, side: Side) -> str:
        """Say what a client sees of it."""
        return self.value[side == "answers"][1]


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
