"""Values made from a schema: other ones each time, and the same ones for the same seed."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from rstr import Rstr

from sendmeter.domain.instants import instant_text

Schema = dict[str, Any]
ATTEMPTS = 100
MOST_ITEMS = 3
MOST_NUMBER = 100_000
MOST_LENGTH = 40
_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_OPTIONAL = 0.7
_ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")


class Generator:
    """Makes values of a document's schemas; `resolve` follows a `$ref`."""

    def __init__(self, resolve: Callable[[Schema], Schema], seed: int) -> None:
        self._resolve = resolve
        self._chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self._texts = Rstr(self._chance)

    def value(self, schema: Schema) -> Any:  # noqa: ANN401 - any JSON
        """Make a value. What a schema says of its parts is kept; what it says across them may not be."""
        schema = self._whole(schema)
        if "enum" in schema:
            return self._chance.choice(schema["enum"])
        made: dict[str, Callable[[Schema], Any]] = {
            "object": self._object,
            "array": self._array,
            "integer": self._number,
            "number": self._number,
            "string": self._string,
            "boolean": lambda _: self._chance.random() < 0.5,
        }
        return made[schema.get("type", "object")](schema)

    def _whole(self, schema: Schema) -> Schema:
        """Follow references, join `allOf`, and choose one of `oneOf` and `anyOf`."""
        schema = self._resolve(schema)
        for part in schema.get("allOf", []):
            schema = _both(self._whole(part), schema)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                schema = _both(schema, self._whole(self._chance.choice(schema[word])))
        return schema

    def _object(self, schema: Schema) -> dict[str, Any]:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        others, least = schema.get("additionalProperties"), schema.get("minProperties", 0)
        names = [
            *required,
            *(name for name in properties if name not in required and self._chance.random() < _OPTIONAL),
        ]
        names += [name for name in properties if name not in names][: max(0, least - len(names))]
        if isinstance(others, dict) and not (properties or required):
            names += [f"name-{index}" for index in range(max(least, self._chance.randint(0, MOST_ITEMS)))]
        return {name: self.value(properties.get(name, others)) for name in names}

    def _array(self, schema: Schema) -> list[Any]:
        least = schema.get("minItems", 0)
        count = self._chance.randint(least, max(least, min(schema.get("maxItems", MOST_ITEMS), MOST_ITEMS)))
        made: list[Any] = []
        while len(made) < count:
            item = self.value(schema["items"])
            if schema.get("uniqueItems") and item in made:
                count -= len(made) >= least
            else:
                made.append(item)
        return made

    def _number(self, schema: Schema) -> int | Decimal:
        # An integer is one of the contract's counts, another number one of its amounts: bounds far apart are narrowed.
        least, most = schema.get("minimum", 0), schema.get("maximum", MOST_NUMBER)
        low = max(least, min(0, most))
        high = min(most, low + MOST_NUMBER)
        if schema["type"] == "integer" or schema.get("multipleOf") == 1:
            return self._chance.randint(int(low), int(high))
        return Decimal(self._chance.randint(int(low * 10**4), int(high * 10**4))).scaleb(-4)

    def _string(self, schema: Schema) -> str:
        match schema.get("format"):
            case "date-time":
                return instant_text(_YEAR + timedelta(seconds=self._chance.randrange(365 * 86_400)))
            case "date":
                return (_YEAR + timedelta(days=self._chance.randrange(365))).date().isoformat()
            case "time-zone":
                return self._chance.choice(_ZONES)
        least, most = schema.get("minLength", 0), schema.get("maxLength", MOST_LENGTH)
        if "pattern" in schema:
            made = (str(self._texts.xeger(schema["pattern"]))[:most] for _ in range(ATTEMPTS))
            return next((text for text in made if len(text) >= least), "")
        return str(self._texts.lowercase(max(least, 1), max(least, 1, min(most, MOST_LENGTH))))


def _both(first: Schema, second: Schema) -> Schema:
    """Join two schemas that both count: of a keyword that both have the second's, but for properties, which add up."""
    joined = {**first, **second}
    if "properties" in first and "properties" in second:
        joined["properties"] = {**first["properties"], **second["properties"]}
    if "required" in first and "required" in second:
        joined["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    return joined
