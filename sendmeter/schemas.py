"""The contract's schemas as compiled validators that tell every fault at once, with a JSON pointer.

The schemas of OpenAPI 3.0 are turned into JSON Schema 2020-12 once. Differences that matter are told where they are
made. A `oneOf` with a discriminator becomes a chain of conditions, so that a fault is told of the shape that was meant,
and not of all shapes that it is not.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any

import jsonschema_rs

from sendmeter.domain.instants import read_instant
from sendmeter.domain.organizations import is_time_zone
from sendmeter.errors import Fault

FAULT_LIMIT = 100
_POINTER_LIMIT = 500
# More than any list or object of the contract may have, and than all of one item together.
_ITEMS_SHOWN = 1_001
_MEMBERS_SHOWN = 200
_PARTS_SHOWN = 2_500
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
    """A compiled schema.

    The library finds all errors of a value before it returns the first, each with a copy of the part that is wrong. So
    that a hostile body costs no more than its size, what is invalid is looked at in parts: first the value without the
    items of its lists, then one item after the other, until a hundred faults are found.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._compiled = _compiled(schema)

    def accepts(self, value: Any) -> bool:  # noqa: ANN401 - any JSON
        """Return whether a JSON value is valid."""
        return self._compiled.is_valid(value)

    def faults(self, value: Any, prefix: str = "") -> list[Fault]:  # noqa: ANN401 - any JSON
        """Return what is wrong with a JSON value, the first hundred faults; an empty list if it is valid."""
        return list(islice(self._found(value, prefix), FAULT_LIMIT))

    def _found(self, value: Any, prefix: str) -> Iterator[Fault]:  # noqa: ANN401 - any JSON
        if self._compiled.is_valid(value):
            return
        outer, lists = self._parts
        whole = _without_items(value, lists)
        found = False
        for error in outer.iter_errors(_shortened(whole)):
            for fault in () if _is_left_out(error, whole) else _faults_of(error):
                found = True
                yield Fault((prefix + fault.pointer)[:_POINTER_LIMIT], fault.message[:_MESSAGE_LIMIT])
        for name, items in lists.items():
            for index, item in enumerate(_items(value, name)):
                for fault in items._found(item, f"{prefix}{_step(name) if name else ''}/{index}"):
                    found = True
                    yield fault
        if not found:
            yield Fault(prefix, "is larger than anything that is taken here")

    @cached_property
    def _parts(self) -> "tuple[jsonschema_rs.Draft202012Validator, dict[str, Validator]]":
        """Compile, when they are first needed, the schema without its lists' items, and those of the items.

        The name of a list is the property that has it; the empty one if the value itself is a list.
        """
        schema = self._resolved(self.schema)
        named = {"components": self.schema["components"]} if "components" in self.schema else {}
        properties = {name: self._resolved(part) for name, part in schema.get("properties", {}).items()}
        lists = {name: part for name, part in {"": schema, **properties}.items() if self._has_objects(part)}
        outer = dict(_unlisted(schema) if "" in lists else schema)
        if properties:
            outer["properties"] = {
                name: _unlisted(properties[name]) if name in lists else part
                for name, part in schema["properties"].items()
            }
        items = {name: Validator({**part["items"], **named}) for name, part in lists.items()}
        return _compiled({**outer, **named}), items

    def _has_objects(self, schema: dict[str, Any]) -> bool:
        return schema.get("type") == "array" and self._resolved(schema.get("items", {})).get("type") == "object"

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow a reference to a named schema."""
        while "$ref" in schema:
            schema = self.schema["components"]["schemas"][schema["$ref"].removeprefix("#/components/schemas/")]
        return schema


def _compiled(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        formats={"date-time": _is_instant, "date": _is_date, "time-zone": is_time_zone, "binary": _is_anything},
        keywords={_WHOLE: _Whole},
        # Matched in one pass over a text; an expression that would need going back is refused here.
        pattern_options=jsonschema_rs.RegexOptions(),
        validate_formats=True,
        ignore_unknown_formats=False,
        offline=True,
    )


def _unlisted(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list without that of its items."""
    return {keyword: value for keyword, value in schema.items() if keyword != "items"}


def _items(value: Any, name: str) -> list[Any]:  # noqa: ANN401 - any JSON
    """Return the items of a list that are looked at: none if there is no list."""
    found = value.get(name) if name and isinstance(value, dict) else value
    return found[:_ITEMS_SHOWN] if isinstance(found, list) else []


def _without_items(value: Any, lists: Collection[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return a value with numbers in place of the items of some lists, as many and as different."""
    if "" in lists:
        return list(range(len(_items(value, "")))) if isinstance(value, list) else value
    if not isinstance(value, dict):
        return value
    listed = {name: list(range(len(_items(value, name)))) for name in lists if isinstance(value.get(name), list)}
    return value | listed if listed else value


def _shortened(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the parts of a value that are nearest to its root.

    The contract bounds each object and list, so a value of more parts breaks a bound, and the first that does is here.
    """
    if not isinstance(value, dict | list):
        return value
    short: Any = type(value)()
    queue: deque[tuple[Any, Any]] = deque([(value, short)])
    left = _PARTS_SHOWN
    while queue:
        source, target = queue.popleft()
        shown = min(left, _MEMBERS_SHOWN if isinstance(source, dict) else _ITEMS_SHOWN)
        for name, part in islice(source.items() if isinstance(source, dict) else enumerate(source), shown):
            left -= 1
            kept = part
            if isinstance(part, dict | list):
                kept = type(part)()
                queue.append((part, kept))
            if isinstance(target, dict):
                target[name] = kept
            else:
                target.append(kept)
    return short


def _is_left_out(error: jsonschema_rs.ValidationError, whole: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether a shortened value is said to lack what the whole value has."""
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(property=name):
            return name in _part(whole, error.instance_path)
        case jsonschema_rs.ValidationErrorKind.MinItems(limit=limit):
            return len(_part(whole, error.instance_path)) >= limit
        case jsonschema_rs.ValidationErrorKind.MinProperties(limit=limit):
            return len(_part(whole, error.instance_path)) >= limit
    return False


def _part(value: Any, path: Iterable[str | int]) -> Any:  # noqa: ANN401 - any JSON
    for step in path:
        value = value[step]
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
        """Return the named schemas that a schema refers to: with all of them, each validator would hold the whole."""
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


def _faults_of(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    """Return an error's faults, in words that do not repeat the value, which may be large or secret."""
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
    """Return whether a text is a day of Python's calendar, which, unlike RFC 3339's, has no year 0."""
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
