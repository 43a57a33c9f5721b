"""The contract's schemas as compiled validators that tell every fault at once, with a JSON pointer.

The schemas of OpenAPI 3.0 are turned into JSON Schema 2020-12 once. Differences that matter are told where they are
made. A `oneOf` with a discriminator becomes a chain of conditions, so that a fault is told of the shape that was meant,
and not of all shapes that it is not.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import jsonschema_rs

from sendmeter.domain.instants import read_instant
from sendmeter.domain.organizations import is_time_zone
from sendmeter.errors import Fault

FAULT_LIMIT = 100
_POINTER_LIMIT = 500
# More than any list or object of the contract may have.
_ITEMS_SHOWN = 1_001
_MEMBERS_SHOWN = 200
_MESSAGE_LIMIT = 500
_WHOLE = "x-whole-number"
_ANNOTATIONS = {"example", "description", "default", "deprecated", "title", "externalDocs", "xml"}


class _Whole:
    """The keyword that says of a number that it is written without a fraction; of anything else it says nothing."""

    def __init__(self, _parent: Any, _value: Any, _path: Any) -> None:  # noqa: ANN401 - the library's signature
        """Compile the keyword: there is nothing to do."""

    def validate(self, instance: Any) -> None:  # noqa: ANN401 - any JSON
        """Raise ValueError where the number is written with a fraction."""
        if isinstance(instance, Decimal) and instance == instance.to_integral_value():
            raise ValueError(instance)


class Validator:
    """A compiled schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._compiled = jsonschema_rs.Draft202012Validator(
            schema,
            formats={"date-time": _is_instant, "date": _is_date, "time-zone": is_time_zone, "binary": _is_anything},
            keywords={_WHOLE: _Whole},
            # Matched in one pass over a text; an expression that would need going back is refused here.
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
        )

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - any JSON
        """Tell whether a JSON value is valid."""
        return self._compiled.is_valid(value)

    def faults(self, value: Any, prefix: str = "") -> list[Fault]:  # noqa: ANN401 - any JSON
        """Name what is wrong with a JSON value, the first hundred faults; an empty list where nothing is."""
        if self._compiled.is_valid(value):
            return []
        found: list[Fault] = []
        # The library finds all errors before it gives the first, each with a copy of what is wrong: a body of 1 MiB
        # that is wrong all over would keep it, and with it the whole process, busy for half a minute.
        short = _cut(value)
        for error in self._compiled.iter_errors(value if self._compiled.is_valid(short) else short):
            for fault in _told(error):
                pointer = (prefix + fault.pointer)[:_POINTER_LIMIT]
                found.append(Fault(pointer, fault.message[:_MESSAGE_LIMIT]))
                if len(found) == FAULT_LIMIT:
                    return found
        return found


def _cut(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Leave out the most of what is too much anyway; what was invalid for its size still is."""
    if isinstance(value, list):
        return [_cut(item) for item in value[:_ITEMS_SHOWN]]
    if isinstance(value, dict):
        return {name: _cut(member) for name, member in islice(value.items(), _MEMBERS_SHOWN)}
    return value


class Schemas:
    """The schemas of an OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        components = document.get("components", {}).get("schemas", {})
        self._components = {name: _json_schema(schema) for name, schema in components.items()}

    def validator(self, schema: dict[str, Any]) -> Validator:
        """Compile a schema of the document."""
        made = _json_schema(schema)
        return Validator({**made, "components": {"schemas": self._needed(made)}})

    def component(self, name: str) -> Validator:
        """Compile a named schema of the document."""
        return self.validator({"$ref": f"#/components/schemas/{name}"})

    def _needed(self, schema: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of a schema
        """Give the named schemas that a schema refers to: with all of them, each validator would hold the whole."""
        needed: dict[str, Any] = {}
        parts = [schema]
        while parts:
            part = parts.pop()
            if isinstance(part, list):
                parts += part
            elif isinstance(part, dict):
                name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
                if name in self._components and name not in needed:
                    needed[name] = self._components[name]
                    parts.append(needed[name])
                parts += part.values()
        return needed


def _json_schema(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Turn a schema of OpenAPI 3.0 into one of JSON Schema 2020-12; `nullable` and boolean bounds are not used here."""
    if isinstance(schema, list):
        return [_json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    return _keywords(schema)


def _keywords(schema: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        if keyword == "properties":
            made[keyword] = {name: _json_schema(part) for name, part in value.items()}
        elif keyword == "x-property-names":
            # OpenAPI 3.0 has no word for it, and still a name must be bounded.
            made["propertyNames"] = value
        elif keyword != "discriminator" and not (keyword == "oneOf" and "discriminator" in schema):
            made[keyword] = value if keyword == "enum" else _json_schema(value)
    if made.get("type") == "integer":
        # To OpenAPI 3.0 an integer is a number without a fraction; to JSON Schema 2020-12 1.0 is one, too.
        made[_WHOLE] = True
    if "discriminator" in schema:
        made.update(_chosen_by(schema["discriminator"]))
    return made


def _chosen_by(discriminator: dict[str, Any]) -> dict[str, Any]:
    """Say with conditions what a discriminator says: the value of one property chooses the schema."""
    name, mapping = discriminator["propertyName"], discriminator["mapping"]
    by_target: dict[str, list[str]] = {}
    for value, target in mapping.items():
        by_target.setdefault(target, []).append(value)
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"enum": list(mapping)}},
        "allOf": [
            {
                "if": {"properties": {name: {"enum": values}}, "required": [name], "type": "object"},
                "then": {"$ref": target},
            }
            for target, values in by_target.items()
        ],
    }


def _told(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    """Tell an error in words that do not repeat the value, which may be large or secret."""
    pointer = "".join(_step(part) for part in error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.AnyOf(context=branches):
            yield from _nearest(pointer, branches)
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
            for name in names:
                yield Fault(pointer + _step(name), "is not known here")
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            yield Fault(pointer + _step(name), "is missing")
        case jsonschema_rs.ValidationErrorKind.Custom(keyword=_):
            yield Fault(pointer, "is not an integer")
        case jsonschema_rs.ValidationErrorKind.PropertyNames(error=inner):
            yield Fault(pointer, f"has a name that {_in_words(inner)}")
        case _:
            yield Fault(pointer, _in_words(error))


def _step(part: str | int) -> str:
    """Write one step of a JSON pointer (RFC 6901)."""
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def _nearest(pointer: str, branches: list[list[jsonschema_rs.ValidationError]]) -> Iterator[Fault]:
    """Of several shapes, tell what is wrong with the one whose type the value has."""
    for branch in branches:
        if all(error.kind.name != "type" for error in branch):
            for error in branch:
                yield Fault(pointer, _in_words(error))
            return
    types = [
        str(name) for branch in branches for error in branch if error.kind.name == "type" for name in error.kind.value
    ]
    yield Fault(pointer, f"is not a {' or '.join(types)}")


_FORMATS = {
    "date-time": "is not an RFC 3339 instant like 2026-11-20T09:30:00Z",
    "date": "is not a date of the calendar like 2026-11-20",
    "time-zone": "is not an IANA time zone like Europe/Berlin",
}
_WORDS: dict[str, Callable[[Any], str]] = {
    "type": lambda limit: f"is not {' or '.join(_with_article(name) for name in limit)}",
    "enum": lambda limit: f"is not one of {', '.join(str(option) for option in limit)}",
    "pattern": lambda limit: f"does not match {limit}",
    "format": lambda name: _FORMATS[name],
    "minLength": lambda limit: f"is shorter than {limit} characters",
    "maxLength": lambda limit: f"is longer than {limit} characters",
    "minItems": lambda limit: f"has fewer than {limit} items",
    "maxItems": lambda limit: f"has more than {limit:,} items",
    "maxProperties": lambda limit: f"has more than {limit} members",
    "minProperties": lambda limit: f"has fewer than {limit} members",
    "minimum": lambda limit: f"is less than {limit}",
    "maximum": lambda limit: f"is more than {limit}",
    "multipleOf": lambda limit: "has more than nine decimals" if limit == 1e-9 else f"is not a multiple of {limit}",
}


def _in_words(error: jsonschema_rs.ValidationError) -> str:
    words = _WORDS.get(error.kind.name)
    return words(error.kind.value) if words else f"breaks the rule {error.kind.name}"


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _is_anything(_text: str) -> bool:
    """Accept what stands for bytes (OpenAPI's `binary`): they are no text, and are never looked at as one."""
    return True


def _is_date(text: str) -> bool:
    """Tell whether a text is a day of Python's calendar, which, unlike RFC 3339's, has no year 0."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_instant(text: str) -> bool:
    try:
        read_instant(text)
    except ValueError:
        return False
    return True
