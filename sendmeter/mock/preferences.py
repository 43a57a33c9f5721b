"""The `Prefer` header (RFC 7240), with the preferences that Prism made usual for mocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.request import parse_http_list

from sendmeter.errors import Fault, InvalidRequest

MOST_DELAY_MS = 60_000
# Of RFC 7240 and its registry: clients may send them to any server.
_OTHERS = ("respond-async", "return", "wait", "handling", "depth-noroot", "safe")


@dataclass(frozen=True, slots=True)
class Preferences:
    """Which answer a request asks for; none of it: the one that the world gives."""

    code: int | None = None
    example: str | None = None
    dynamic: bool = False
    seed: int | None = None
    delay_ms: int = 0

    @property
    def of_an_answer(self) -> bool:
        """Whether an answer is asked for that the world is not asked about."""
        return self.code is not None or self.example is not None or self.dynamic

    @classmethod
    def read(cls, lines: Sequence[str]) -> "Preferences":
        """Read the lines of a request's `Prefer` header.

        Raises InvalidRequest, saying what may be written, where one is unknown or has a value that it cannot have.
        """
        # Of one that is given twice the first counts (RFC 7240, 2).
        pairs = [item.partition("=") for item in parse_http_list(", ".join(lines))]
        given = {
            name.strip().lower(): value.partition(";")[0].strip().strip('"')
            for name, _, value in reversed(pairs)
            if name.strip()
        }
        faults: list[str] = []
        read: dict[str, Any] = {}
        for name, value in given.items():
            if name in _VALUES:
                try:
                    read[f"{name}_ms" if name == "delay" else name] = _VALUES[name](value)
                except ValueError as error:
                    faults.append(f"{name} {error}")
            elif name not in _OTHERS:
                faults.append(f"{name[:100]} is not a preference of the mock: it knows {', '.join(_VALUES)}")
        if read.get("dynamic") and "example" in read:
            faults.append("example and dynamic are two different answers: ask for one of them")
        if "seed" in read and not read.get("dynamic"):
            faults.append("seed repeats what is made from the schema: write dynamic=true, too")
        if faults:
            raise InvalidRequest.of([Fault("header:Prefer", fault) for fault in faults])
        return cls(**read)


def _number(least: int, most: int, like: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise ValueError(f"is not {like}")
        return int(text)

    return read


def _name(text: str) -> str:
    if not text:
        raise ValueError("names no example")
    return text


def _flag(text: str) -> bool:
    if text not in ("", "true", "false"):
        raise ValueError("is neither true nor false")
    return text != "false"


_VALUES: dict[str, Callable[[str], Any]] = {
    "code": _number(100, 599, "a status like 402"),
    "example": _name,
    "delay": _number(0, MOST_DELAY_MS, f"a number of milliseconds up to {MOST_DELAY_MS:,}"),
    "dynamic": _flag,
    "seed": _number(0, 2**63 - 1, "a whole number"),
}
