"""In how many ways a regular expression can match one text: in one, or few, whatever the text, or in ever more.

A matcher that goes back and tries again, as Python's and JavaScript's do, tries all of them before it says no. The
expression is made an automaton of its positions (Glushkov), whose ambiguity is decided (Weber and Seidl, "On the degree
of ambiguity of finite automata", 1991): exponential where a position leads back to itself by two ways over one text
(EDA), polynomial where one leads to itself, to another, and that one to itself, over one text (IDA).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

with_parser = re._parser  # Python gives no other way to an expression's parts
codes = re._constants
# More than that often is as good as without end, and less is written out.
MOST_WRITTEN_OUT = 3
# All that a class can tell apart: ASCII, and some of what is not.
ALPHABET = [*map(chr, range(128)), "\x85", "\xa0", "\xe9", "\u2028", "\u202e", "\uff10", "\U0001f600"]


@dataclass
class Automaton:
    """Positions of an expression: what each reads, what follows what, and whether anything does in two ways at once."""

    reads: list[frozenset[str]] = field(default_factory=list)
    follow: dict[int, set[int]] = field(default_factory=dict)
    is_double: bool = False

    def link(self, last: frozenset[int], first: frozenset[int]) -> None:
        """Let each of the last be followed by each of the first."""
        for each in last:
            self.is_double |= bool(self.follow[each] & first)
            self.follow[each] |= first


@dataclass(frozen=True)
class Part:
    """A part of an expression: whether it may be empty, and its first and last positions."""

    empty: bool
    first: frozenset[int]
    last: frozenset[int]


NOTHING = Part(empty=True, first=frozenset(), last=frozenset())


def automaton_of(pattern: str, flags: int = 0) -> Automaton:
    """Make the automaton of an expression. Raises ValueError where it has what no automaton can."""
    made = Automaton()
    _sequence(with_parser.parse(pattern, flags), made)
    return made


def _sequence(parsed, made: Automaton) -> Part:
    whole = NOTHING
    for code, argument in parsed:
        whole = _joined(whole, _part(code, argument, made), made)
    return whole


def _part(code, argument, made: Automaton) -> Part:
    match code:
        case codes.AT:
            return NOTHING
        case codes.SUBPATTERN:
            return _sequence(argument[3], made)
        case codes.BRANCH:
            parts = [_sequence(each, made) for each in argument[1]]
            made.is_double |= sum(part.empty for part in parts) > 1
            return Part(
                any(part.empty for part in parts),
                frozenset().union(*(part.first for part in parts)),
                frozenset().union(*(part.last for part in parts)),
            )
        case codes.MAX_REPEAT | codes.MIN_REPEAT:
            return _repeated(*argument, made)
        case codes.LITERAL | codes.NOT_LITERAL | codes.IN | codes.ANY:
            position = len(made.reads)
            made.reads.append(_characters(code, argument))
            made.follow[position] = set()
            return Part(empty=False, first=frozenset({position}), last=frozenset({position}))
    raise ValueError(f"{code} is not of a regular expression")


def _repeated(least: int, most: int, inner, made: Automaton) -> Part:
    whole = NOTHING
    for _ in range(min(least, MOST_WRITTEN_OUT)):
        whole = _joined(whole, _sequence(inner, made), made)
    if most <= MOST_WRITTEN_OUT:
        for _ in range(most - least):
            part = _sequence(inner, made)
            whole = _joined(whole, Part(empty=True, first=part.first, last=part.last), made)
    elif most > least or least > MOST_WRITTEN_OUT:
        part = _sequence(inner, made)
        # What may be nothing may be nothing any number of times.
        made.is_double |= part.empty
        made.link(part.last, part.first)
        whole = _joined(whole, Part(empty=True, first=part.first, last=part.last), made)
    return whole


def _joined(one: Part, other: Part, made: Automaton) -> Part:
    made.link(one.last, other.first)
    return Part(
        one.empty and other.empty,
        one.first | (other.first if one.empty else frozenset()),
        other.last | (one.last if other.empty else frozenset()),
    )


def _characters(code, argument) -> frozenset[str]:
    # The engine itself is asked which characters it takes.
    parsed = with_parser.parse(".")
    parsed.data[:] = [(code, argument)]
    one = re._compiler.compile(parsed)
    return frozenset(letter for letter in ALPHABET if one.fullmatch(letter))


def is_exponential(made: Automaton) -> bool:
    """Tell whether a position leads back to itself by two ways over one text."""
    if made.is_double:
        return True
    steps = _pairs(made)
    for position in range(len(made.reads)):
        here = (position, position)
        apart = {pair for pair in _reached(here, steps) if pair[0] != pair[1]}
        if any(here in _reached(pair, steps) for pair in apart):
            return True
    return False


def is_polynomial(made: Automaton) -> bool:
    """Tell whether a position leads to itself and to another, and that one to itself, over one text."""
    cyclic = [each for each in range(len(made.reads)) if each in _reached(each, made.follow)]
    pairs = [(one, other) for one, other in product(cyclic, cyclic) if one != other]
    return any((one, other, other) in _reached_triples((one, one, other), made) for one, other in pairs)


def _pairs(made: Automaton) -> dict[tuple[int, int], set[tuple[int, int]]]:
    every = range(len(made.reads))
    return {
        (one, other): {
            (left, right)
            for left, right in product(made.follow[one], made.follow[other])
            if made.reads[left] & made.reads[right]
        }
        for one, other in product(every, every)
    }


def _reached(start, steps) -> set:
    """Give all that is reached in one step or more."""
    found, ahead = set(), list(steps[start])
    while ahead:
        here = ahead.pop()
        if here not in found:
            found.add(here)
            ahead += steps[here]
    return found


def _reached_triples(start: tuple[int, int, int], made: Automaton) -> set[tuple[int, int, int]]:
    found: set[tuple[int, int, int]] = set()
    ahead = list(_steps(start, made))
    while ahead:
        here = ahead.pop()
        if here not in found:
            found.add(here)
            ahead += _steps(here, made)
    return found


def _steps(here: tuple[int, int, int], made: Automaton) -> Iterator[tuple[int, int, int]]:
    for step in product(*(made.follow[each] for each in here)):
        if frozenset.intersection(*(made.reads[each] for each in step)):
            yield step
