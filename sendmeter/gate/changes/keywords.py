"""The effects of changed keywords: those of a schema that hold no other schemas."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from sendmeter.contract.walking import Part
from sendmeter.gate.changes.effects import Difference, Effect
from sendmeter.gate.changes.shapes import ANNOTATIONS
from sendmeter.gate.changes.values import alike, text

# What a keyword is that is left out; None of any other.
_DEFAULTS = {
    "minLength": 0,
    "minItems": 0,
    "exclusiveMinimum": False,
    "exclusiveMaximum": False,
    "uniqueItems": False,
    "nullable": False,
    "readOnly": False,
    "writeOnly": False,
}
_MISSING = object()
_ELSEWHERE = ANNOTATIONS | {
    "required",
    "properties",
    "additionalProperties",
    "x-property-names",
    "items",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "discriminator",
}


def of_keywords(where: str, old: Part, new: Part) -> Iterator[Difference]:
    """Compare the keywords of two schemas; one that is not understood is taken for the worst."""
    for word in sorted((old.keys() | new.keys()) - _ELSEWHERE):
        one, other = (schema.get(word, _left_out(word, schema)) for schema in (old, new))
        if not alike(one, other) and (word in _EFFECTS or not word.startswith("x-")):
            told = _described(word, one, other)
            effect = _EFFECTS.get(word, _not_understood)(*(None if each is _MISSING else each for each in (one, other)))
            if effect is not None:
                yield Difference(where, told, effect)


def _left_out(word: str, schema: Part) -> Any:  # noqa: ANN401 - the values of any keyword
    """Return what a keyword is where it is left out: how many members there are, other keywords may say."""
    if word == "minProperties":
        return len(schema.get("required", []))
    if word == "maxProperties" and schema.get("additionalProperties") is False:
        return len(schema.get("properties", {}))
    return _DEFAULTS.get(word, _MISSING)


def limit(*, stricter: bool) -> Effect:
    """Return the effect of a bound that is stricter now, or looser."""
    return Effect.NARROWER if stricter else Effect.WIDER


def _described(word: str, old: Any, new: Any) -> str:  # noqa: ANN401 - the values of any keyword
    if word == "enum" and _MISSING not in (old, new):
        lost = [f"is never {text(value)} any more" for value in _without(old, new)]
        return ", ".join([*lost, *(f"can be {text(value)} too" for value in _without(new, old))])
    return f"{word} {' → '.join('none' if each is _MISSING else text(each) for each in (old, new))}"


def _without(values: list[Any], others: list[Any]) -> list[Any]:
    return [value for value in values if not any(alike(value, other) for other in others)]


def _of_type(old: str | None, new: str | None) -> Effect:
    if old is None or (old, new) == ("number", "integer"):
        return Effect.NARROWER
    return Effect.WIDER if new is None or (old, new) == ("integer", "number") else Effect.OTHER


def _of_enum(old: list[Any] | None, new: list[Any] | None) -> Effect | None:
    if old is None or new is None:
        return limit(stricter=old is None)
    lost, won = bool(_without(old, new)), bool(_without(new, old))
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


def _of_default(_old: object, _new: object) -> Effect:
    return Effect.UNSAID


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
