"""The shapes of the contract's bodies: where their objects are, and values at and past each bound of each schema."""

from dataclasses import dataclass
from decimal import Decimal

from sendmeter.contract import contract

_LETTERS = ("a", "A", "0", "é", "~")


@dataclass(frozen=True)
class Bound:
    """A value at a bound of a schema, which is valid, or one past it, which is not."""

    name: str
    value: object
    is_valid: bool


def resolved(schema):
    """Follow references, and take in what is combined of one."""
    schema = contract().resolve(schema)
    for part in schema.get("allOf", []):
        schema = {**resolved(part), **{name: value for name, value in schema.items() if name != "allOf"}}
    return schema


def json_bodies():
    """Return operation, media type and schema of each body that is read as JSON."""
    for operation in contract().operations.values():
        document = contract().document["paths"][operation.path][operation.method.lower()]
        content = contract().resolve(document.get("requestBody", {})).get("content", {})
        for media_type, validator in operation.bodies.items():
            if validator is not None:
                yield operation.operation_id, media_type, content[media_type]["schema"]


def example_of(schema):
    """Return the simplest valid value of a schema."""
    schema = resolved(schema)
    if "oneOf" in schema or "anyOf" in schema:
        return example_of((schema.get("oneOf") or schema["anyOf"])[0])
    kind = schema["type"]
    if kind == "object":
        wanted = schema.get("required") or list(schema.get("properties", {}))[:1]
        return {name: example_of(schema["properties"][name]) for name in wanted}
    plain = {
        "array": lambda: [example_of(schema["items"])],
        "boolean": lambda: True,
        "integer": lambda: schema["minimum"],
        "number": lambda: schema["minimum"],
        "string": lambda: "2026-11-20T09:30:00Z" if schema.get("format") == "date-time" else "a",
    }
    if "pattern" in schema and "example" not in schema:
        # A cost.
        return "1"
    return schema["example"] if "example" in schema else schema.get("enum", [None])[0] or plain[kind]()


def places(schema, path=()):
    """Return each schema within a body with its way there: names of members, and 0 for the items of a list.

    A shape that a discriminator chooses is named on the way, with the value that chooses it.
    """
    schema = resolved(schema)
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from places(part, (*path, name))
    if schema.get("type") == "array":
        yield from places(schema["items"], (*path, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from places(schema["additionalProperties"], (*path, "other"))
    chosen = schema.get("discriminator", {}).get("mapping", {})
    for target in dict.fromkeys(chosen.values()):
        value = next(each for each, other in chosen.items() if other == target)
        shape = {"$ref": target}
        yield from places(shape, (*path, (schema["discriminator"]["propertyName"], value)))
    for part in schema.get("anyOf", []):
        yield from places(part, path)


def body_with(schema, path, value):
    """Write a valid body of a schema, but for the value at a place."""
    schema = resolved(schema)
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, tuple):
        shape = {"$ref": schema["discriminator"]["mapping"][step[1]]}
        made = body_with(shape, rest, value)
        return {**made, step[0]: step[1]} if rest[:1] != (step[0],) and isinstance(made, dict) else made
    if step == 0:
        return [body_with(schema["items"], rest, value)]
    parts = schema.get("properties", {})
    part = parts.get(step) or schema["additionalProperties"]
    made = (
        {}
        if schema.get("type") != "object"
        else {name: example_of(parts[name]) for name in schema.get("required", []) if name in parts}
    )
    return {**made, step: body_with(part, rest, value)}


def bounds(schema, accepts):
    """Return the values at and past the bounds of a schema of a string, a number, a list or an object."""
    match schema.get("type"):
        case "string" if "maxLength" in schema:
            yield from _of_text(schema, accepts)
        case "integer":
            yield from _of_number(schema, 1)
            yield Bound("a fraction", Decimal(schema["minimum"]) + Decimal("0.5"), is_valid=False)
            yield Bound("an integer with a point", Decimal(f"{schema['minimum'] or 1}.0"), is_valid=False)
        case "number":
            yield from _of_number(schema, Decimal("0.000000001"))
        case "array" if "maxItems" in schema:
            item = example_of(schema["items"])
            yield Bound("maxItems", [item] * schema["maxItems"], is_valid=not schema.get("uniqueItems"))
            yield Bound("maxItems + 1", [item] * (schema["maxItems"] + 1), is_valid=False)
            yield Bound("minItems - 1", [], is_valid=not schema.get("minItems"))


def _of_text(schema, accepts):
    longest = schema["maxLength"]
    whole = [*(letter * longest for letter in _LETTERS), str(schema.get("example", ""))]
    text = next((each for each in whole if len(each) == longest and accepts(each)), None)
    if text is not None:
        yield Bound("maxLength", text, is_valid=True)
        yield Bound("maxLength + 1", text + text[-1], is_valid=False)
    yield Bound("a megabyte", (text or "a")[-1] * 1_000_000, is_valid=False)
    if schema.get("minLength"):
        yield Bound("nothing", "", is_valid=False)


def _of_number(schema, step):
    least, most = (Decimal(str(schema[word])) for word in ("minimum", "maximum"))
    for name, number, is_valid in (
        ("minimum", least, True),
        ("minimum - 1", least - step, False),
        ("maximum", most, True),
        ("maximum + 1", most + step, False),
        ("a power", Decimal("1e400"), False),
        ("its inverse", Decimal("-1e400"), False),
    ):
        whole = number == number.to_integral_value() and abs(number) < 10**20
        yield Bound(name, int(number) if whole else number, is_valid=is_valid)
