"""The effects of changed keywords: those of a schema that hold no other schemas."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from sendmeter.contract.changes.effects import Difference, Effect
from sendmeter.contract.changes.shapes import ANNOTATIONS
from sendmeter.contract.walking import Part

# What a keyword is that is left out; None of any other.
_DEFAULTS = {
    "minLength": 0,
    "minItems": 0,
    "minProperties": 0,
    "exclusiveMinimum": False,
    "exclusiveMaximum": False,
    "uniqueItems": False,
    "nullable": False,
}
_ELSEWHERE = ANNOTATIONS | {
    "required",
    "properties",
    "additionalProperties",
    "x-property-names",
    "items",
    "oneOf",
    "anyOf",
    "discriminator",
}


def of_keywords(where: str, old: Part, new: Part) -> Iterator[Difference]:
    """Compare the keywords of two schemas; one that is not understood is taken for the worst."""
    for word in sorted((old.keys() | new.keys()) - _ELSEWHERE):
        one, other = (schema.get(word, _DEFAULTS.get(word)) for schema in (old, new))
        if one != other and (word in _EFFECTS or not word.startswith("x-")):
            effect = _EFFECTS.get(word, _not_understood)(one, other)
            if effect is not None:
                yield Difference(where, _told(word, one, other), effect)


def text(value: object) -> str:
    """Show a value, which may be long."""
    shown = json.dumps(value, ensure_ascii=False, sort_keys=True) if value is not None else "none"
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def limit(*, stricter: bool) -> Effect:
    """Give the effect of a bound that is stricter now, or looser."""
    return Effect.NARROWER if stricter else Effect.WIDER


def _told(word: str, old: Any, new: Any) -> str:  # noqa: ANN401 - the values of any keyword
    if word == "enum" and old is not None and new is not None:
        lost = [f"is never {text(value)} any more" for value in old if value not in new]
        return ", ".join([*lost, *(f"can be {text(value)} too" for value in new if value not in old)])
    return f"{word} {text(old)} → {text(new)}"


def _of_type(old: str | None, new: str | None) -> Effect:
    if old is None or (old, new) == ("number", "integer"):
        return Effect.NARROWER
    return Effect.WIDER if new is None or (old, new) == ("integer", "number") else Effect.OTHER


def _of_enum(old: list[Any] | None, new: list[Any] | None) -> Effect | None:
    if old is None or new is None:
        return limit(stricter=old is None)
    lost, won = any(value not in new for value in old), any(value not in old for value in new)
    if lost and won:
        return Effect.OTHER
    return limit(stricter=lost) if lost or won else None


def _of_upper(old: float | None, new: float | None) -> Effect:
    return limit(stricter=old is None or (new is not None and new < old))


def _of_lower(old: float | None, new: float | None) -> Effect:
    return limit(stricter=old is None or (new is not None and new > old))


def _of_form(old: str | None, new: str | None) -> Effect:
    return Effect.OTHER if old and new else limit(stricter=old is None)


def _of_switch(_old: bool, new: bool) -> Effect:
    return limit(stricter=new)


def _of_nullable(_old: bool, new: bool) -> Effect:
    return limit(stricter=not new)


def _of_multiple(old: float | None, new: float | None) -> Effect:
    if old is None or new is None:
        return limit(stricter=old is None)
    ratio = Fraction(str(new)) / Fraction(str(old))
    if ratio.denominator == 1:
        return Effect.NARROWER
    return Effect.WIDER if ratio.numerator == 1 else Effect.OTHER


def _of_default(old: object, new: object) -> Effect:
    # Who leaves it out means another value now.
    return Effect.NEITHER if old is None or new is None else Effect.NARROWER


def _not_understood(_old: object, _new: object) -> Effect:
    return Effect.OTHER


_EFFECTS: dict[str, Callable[[Any, Any], Effect | None]] = {
    "type": _of_type,
    "enum": _of_enum,
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), _of_upper),
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), _of_lower),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum", "uniqueItems"), _of_switch),
    **dict.fromkeys(("pattern", "format"), _of_form),
    "nullable": _of_nullable,
    "multipleOf": _of_multiple,
    "default": _of_default,
}
