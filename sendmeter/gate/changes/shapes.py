"""Schemas without the ways they may be written: references are followed, and what `allOf` combines is put together."""

from collections.abc import Callable, Iterator
from typing import Any

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import Part, resolve
from sendmeter.gate.changes.values import alike

# Keywords that say nothing of the values.
ANNOTATIONS = {"description", "title", "example", "examples", "deprecated", "externalDocs", "xml"}
# Keywords that mean something else without each other.
_TOGETHER = (
    {"properties", "additionalProperties"},
    {"minimum", "exclusiveMinimum"},
    {"maximum", "exclusiveMaximum"},
    {"type", "nullable"},
    {"oneOf", "anyOf", "discriminator"},
)


class Shapes:
    """The schemas of one contract. The same schema always gives the same object: whoever compares, knows it again."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._made: dict[int, tuple[Part, Part]] = {}

    def of(self, schema: Part) -> Part:
        """Return a schema with its references followed at the top, and its `allOf` put together.

        What cannot be put together exactly is left in `allOf`, a part each.
        """
        schema = resolve(self.document, schema)
        if id(schema) not in self._made:
            whole = self._whole(schema)
            # The schema is kept too: its id is its own as long as it is.
            self._made[id(schema)], self._made[id(whole)] = (schema, whole), (whole, whole)
        return self._made[id(schema)][1]

    def _whole(self, schema: Part) -> Part:
        whole = {word: value for word, value in schema.items() if word not in ANNOTATIONS | {"allOf"}}
        for part in schema.get("allOf", []):
            whole = _both(self.of(part), whole)
        return whole


def bare(schema: Part) -> Part:
    """Return the schema that another merely describes anew: `allOf` of one reference, beside a description."""
    combined = schema.get("allOf", [])
    if len(combined) == 1 and schema.keys() <= ANNOTATIONS | {"allOf"}:
        inner: Part = combined[0]
        return inner
    return schema


def name_of(schema: Part) -> str | None:
    """Name the component that a schema refers to."""
    reference: str | None = bare(schema).get("$ref")
    return reference.rpartition("/")[2] if reference else None


def _both(one: Part, other: Part) -> Part:
    """Put two schemas together: what is valid is valid by both."""
    made = {word: value for word, value in one.items() if word != "allOf"}
    left = [*one.get("allOf", []), *other.get("allOf", [])]
    for group in _groups(other.keys() - {"allOf"}):
        mine, its = ({word: part[word] for word in sorted(group & part.keys())} for part in (made, other))
        if mine and not alike(mine, its):
            exact = _put_together(mine, its)
            left += [its] if exact is None else []
            its = exact or {}
        made |= its
    return made | ({"allOf": left} if left else {})


def _groups(words: set[str]) -> Iterator[set[str]]:
    together = [group for group in _TOGETHER if group & words]
    yield from together
    yield from ({word} for word in sorted(words - set().union(*together)))


def _put_together(one: Part, other: Part) -> Part | None:
    """Put together what two schemas say by the same keyword; None where one keyword cannot say it."""
    word, *more = sorted({*one, *other})
    exact = None if more else _EXACT.get(word)
    return exact and {word: exact(one[word], other[word])}


def _values_of_both(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if any(alike(value, each) for each in other)]


def _members_of_both(one: Part, other: Part) -> Part:
    return {**one, **other, **{name: _all_of(one[name], other[name]) for name in one.keys() & other.keys()}}


def _all_of(*parts: Part) -> Part:
    return {"allOf": parts}


_EXACT: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("maximum", "maxLength", "maxItems", "maxProperties"), min),
    **dict.fromkeys(("minimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("items", "x-property-names"), _all_of),
    "properties": _members_of_both,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    "enum": _values_of_both,
    "uniqueItems": lambda one, other: one or other,
}
