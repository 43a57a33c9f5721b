"""Rules of schemas and components: described, bounded, shown by valid examples, and used."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import (
    COMBINED,
    Part,
    answers,
    components,
    contents,
    headers,
    links,
    parameters,
    parts,
    plain,
    resolve,
    schemas,
    shown,
)
from sendmeter.gate.changes.shapes import Shapes
from sendmeter.gate.changes.values import alike
from sendmeter.gate.rules.references import Finding
from sendmeter.schemas import Schemas

# Keywords that lead to other schemas.
_LEADING = {"$ref", "properties", "items", "additionalProperties", "not", "discriminator", *COMBINED}


def the_server_can_read_its_schemas(document: Document) -> Iterator[Finding]:
    """Each schema has no other keywords, formats and patterns than the server checks."""
    in_answers = {id(schema) for schema in shown(document)}
    for where, schema in schemas(document):
        for word in ("nullable", "exclusiveMinimum", "exclusiveMaximum", "readOnly"):
            if word in schema:
                yield where, f"has {word}, which the server does not check"
        if schema.get("writeOnly") and id(schema) in in_answers:
            yield where, "is writeOnly, and stands in an answer"
        if schema.get("format") == "binary" and id(schema) in in_answers:
            yield where, "is bytes, and stands in an answer: the server answers JSON"
        if "discriminator" in schema and not schema["discriminator"].get("mapping"):
            yield where, "has a discriminator without a mapping: name the schema of each value"
        if "discriminator" in schema and schema.keys() & {"anyOf", "allOf"}:
            yield where, "has a discriminator of something else than a oneOf"
        try:
            Schemas({}).validator({word: value for word, value in schema.items() if word not in _LEADING})
        except ValueError as error:
            yield where, f"cannot be checked: {str(error).partition(chr(10))[0][:200]}"


def a_discriminator_chooses_one_shape(document: Document) -> Iterator[Finding]:
    """Each shape that a discriminator may choose requires its property, with just the values that choose the shape."""
    shapes = Shapes(document)
    for where, schema in schemas(document):
        discriminator = schema.get("discriminator", {})
        name, mapping = discriminator.get("propertyName"), discriminator.get("mapping", {})
        for target in [one.get("$ref") for one in schema.get("oneOf", [])] if mapping else ():
            if target not in mapping.values():
                yield where, f"may be {target}, which no value of {name} chooses"
        for target in dict.fromkeys(mapping.values()):
            shape = shapes.of({"$ref": target})
            told = shapes.of(shape.get("properties", {}).get(name, {})).get("enum", [])
            if name not in shape.get("required", []):
                yield where, f"maps to {target}, which does not require {name}"
            if {*map(str, told)} != {value for value in mapping if mapping[value] == target}:
                yield where, f"maps other values to {target} than its {name} has: {', '.join(map(str, told)) or 'none'}"


def every_schema_can_be_fulfilled(document: Document) -> Iterator[Finding]:
    """Each schema has bounds that leave something between them, and a list of values of its own type."""
    for where, schema in schemas(document):
        for word in ("imum", "Length", "Items", "Properties"):
            if f"min{word}" in schema and f"max{word}" in schema and schema[f"min{word}"] > schema[f"max{word}"]:
                yield where, f"has a min{word} above its max{word}: nothing is left"
        if any(alike(*two) for two in combinations(schema.get("enum", []), 2)):
            yield where, "has a value twice in its enum"
        if "enum" in schema and "type" in schema:
            is_of_type = Schemas({}).validator({"type": schema["type"]}).accepts
            yield from (
                (where, f"can be {value!r}, of another type") for value in schema["enum"] if not is_of_type(value)
            )


def everything_is_described(document: Document) -> Iterator[Finding]:
    """Each schema, property, parameter, header, answer and link is told of; one that is a reference by its target."""
    for where, value in [*_named_schemas(document), *_named_others(document)]:
        if not (value.get("description") or resolve(document, value).get("description")):
            yield where, "is not described"


def _named_schemas(document: Document) -> Iterator[tuple[str, Part]]:
    """Walk the schemas that have a name of their own, or stand for each member of an array or a map."""
    for where, schema in schemas(document):
        if where.startswith("#/components/schemas/") and not set(where.split("/")) & {*COMBINED, "not"}:
            yield where, schema


def _named_others(document: Document) -> Iterator[tuple[str, Part]]:
    """Walk parameters, headers, answers, links and ways to show a key."""
    for kind in ("parameters", "headers", "responses", "securitySchemes"):
        for name, component in components(document, kind).items():
            yield f"#/components/{kind}/{name}", component
    yield from parameters(document)
    yield from ((f"{where} {status}", answer) for where, status, answer in answers(document))
    yield from ((f"{where} link {name}", link) for where, name, link in links(document))


def everything_is_bounded(document: Document) -> Iterator[Finding]:
    """Texts have a length, numbers two bounds, arrays and objects a size: nothing is stored that was not meant."""
    for where, schema in schemas(document):
        for missing in _unbounded(schema):
            yield where, missing
        for name in schema.get("required", []):
            if name not in schema.get("properties", {}) and schema.get("additionalProperties", True) is False:
                yield where, f"requires {name}, which it does not know"


def _unbounded(schema: Part) -> Iterator[str]:
    kind = schema.get("type")
    if kind is None and "$ref" not in schema and not any(word in schema for word in COMBINED):
        yield "has no type"
    if kind == "string" and not ("maxLength" in schema or "enum" in schema):
        yield "is a text of any length: give it a maxLength or an enum"
    if kind in ("integer", "number") and not ({"minimum", "maximum"} <= schema.keys() or "enum" in schema):
        yield "is a number without bounds: give it a minimum and a maximum"
    if kind == "array" and not {"items", "maxItems"} <= schema.keys():
        yield "is an array of any length: give it items and a maxItems"
    if kind == "object" and not (schema.get("additionalProperties") is False or "maxProperties" in schema):
        yield "is an object with any members: give it additionalProperties: false, or a maxProperties"
    if kind == "object" and not schema.keys() & {"properties", "additionalProperties"}:
        yield "is an object that says nothing of its members"


def every_body_has_examples(document: Document) -> Iterator[Finding]:
    """Each media type of a request, and each of an answer, shows at least one body."""
    for where, body in contents(document):
        if not body.get("examples"):
            yield where, "has no examples"


def examples_are_valid(document: Document) -> Iterator[Finding]:
    """Each example and each default is what its schema says."""
    compiled = Schemas(document)
    for where, schema, value in _shown(document):
        with suppress(ValueError):  # a schema that cannot be checked is told of as such
            for fault in compiled.validator(schema).faults(value):
                yield where, " ".join(filter(None, (fault.pointer, fault.message)))


def _shown(document: Document) -> Iterator[tuple[str, Part, object]]:
    """Return each value that a contract shows, with where it stands and its schema."""
    shared: set[tuple[str, str]] = set()
    for where, body in contents(document):
        for name, example in body.get("examples", {}).items():
            # An example that several bodies of one schema show is looked at once, as the component that it is.
            place = example.get("$ref", f"{where} example {name}")
            if "schema" in body and (place, str(body["schema"])) not in shared:
                shared.add((place, str(body["schema"])))
                yield place, body["schema"], resolve(document, example).get("value")
    for where, schema in schemas(document):
        for word in sorted(schema.keys() & {"example", "default"}):
            yield f"{where} {word}", schema, schema[word]
    for places in (headers, parameters):
        for where, holder in places(document):
            if {"example", "schema"} <= holder.keys():
                yield f"{where} example", holder["schema"], holder["example"]


def nothing_is_named_in_vain(document: Document) -> Iterator[Finding]:
    """Each component is used, and each schema that a discriminator names is one of its shapes."""
    used = {part["$ref"] for _, _, part in parts(document) if isinstance(part.get("$ref"), str)}
    for kind in plain(document.get("components", {})):
        for name in components(document, kind):
            if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used:
                yield f"#/components/{kind}/{name}", "is not used: take it away"
    for where, schema in schemas(document):
        shapes = {one.get("$ref") for one in schema.get("oneOf", [])}
        for target in schema.get("discriminator", {}).get("mapping", {}).values():
            if target not in shapes:
                yield where, f"maps to {target}, which is none of its oneOf"
