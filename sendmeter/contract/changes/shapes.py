"""Schemas without the ways they may be written: references are followed, and what `allOf` combines is put together."""

from typing import Any

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import Part, resolve

# Keywords that say nothing of the values.
ANNOTATIONS = {
    "description",
    "title",
    "example",
    "examples",
    "deprecated",
    "externalDocs",
    "xml",
    "readOnly",
    "writeOnly",
}
_LOWEST = {"maximum", "maxLength", "maxItems", "maxProperties"}
_HIGHEST = {"minimum", "minLength", "minItems", "minProperties"}


class Shapes:
    """The schemas of one contract. The same schema always gives the same object: whoever compares, knows it again."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._made: dict[int, tuple[Part, Part]] = {}

    def of(self, schema: Part) -> Part:
        """Give a schema with its references followed at the top, and its `allOf` put together."""
        schema = resolve(self.document, schema)
        if id(schema) not in self._made:
            # The schema is kept too: its id is its own as long as it is.
            self._made[id(schema)] = (schema, self._whole(schema))
        return self._made[id(schema)][1]

    def _whole(self, schema: Part) -> Part:
        whole = {word: value for word, value in schema.items() if word not in ANNOTATIONS | {"allOf"}}
        for part in schema.get("allOf", []):
            whole = _both(self.of(part), whole)
        return whole


def bare(schema: Part) -> Part:
    """Give the schema that another merely describes anew: `allOf` of one reference, beside a description."""
    combined = schema.get("allOf", [])
    if len(combined) == 1 and schema.keys() <= ANNOTATIONS | {"allOf", "default"}:
        inner: Part = combined[0]
        return inner if "default" not in schema else schema
    return schema


def name_of(schema: Part) -> str | None:
    """Name the component that a schema refers to."""
    reference: str | None = bare(schema).get("$ref")
    return reference.rpartition("/")[2] if reference else None


def _both(one: Part, other: Part) -> Part:
    """Put two schemas together: what is valid is valid by both."""
    made = dict(one)
    for word, value in other.items():
        made[word] = _stricter(word, made[word], value) if word in made else value
    return made


def _stricter(word: str, one: Any, other: Any) -> Any:  # noqa: ANN401 - the values of any keyword
    if word == "properties":
        both = {name: {"allOf": [one[name], other[name]]} for name in one.keys() & other.keys()}
        return {**one, **other, **both}
    if word == "required":
        return [*one, *(name for name in other if name not in one)]
    if word == "enum":
        return [value for value in one if value in other]
    if word in _LOWEST:
        return min(one, other)
    return max(one, other) if word in _HIGHEST else other
