"""The expressions by which a link takes something out of a request or an answer."""

import re

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import COMBINED, Part, parameters_of, resolve

_WHOLE = ("$url", "$method", "$statusCode")


def is_there(document: Document, value: object, operation: Part, answer: Part) -> bool:
    """Return whether a link can give a value: a constant, or an expression of what is told of in the contract."""
    if not isinstance(value, str) or not value.startswith("$") or value in _WHOLE:
        return True
    if named := re.fullmatch(r"\$request\.(path|query)\.(.+)", value):
        return named.groups() in [(each["in"], each["name"]) for each in parameters_of(document, operation)]
    if header := re.fullmatch(r"\$response\.header\.(.+)", value):
        return header[1].lower() in [name.lower() for name in answer.get("headers", {})]
    if body := re.fullmatch(r"\$(request|response)\.body(?:#((?:/.*)?))?", value):
        holder = resolve(document, operation.get("requestBody", {})) if body[1] == "request" else answer
        steps = [step.replace("~1", "/").replace("~0", "~") for step in (body[2] or "").split("/")[1:]]
        return any(_has(document, each.get("schema", {}), steps) for each in holder.get("content", {}).values())
    return False


def _has(document: Document, schema: Part, steps: list[str]) -> bool:
    """Return whether a value of a schema may have something at the end of a JSON pointer."""
    schema = resolve(document, schema)
    if not steps or any(_has(document, part, steps) for word in COMBINED for part in schema.get(word, [])):
        return True
    step, *more = steps
    others = schema.get("additionalProperties", schema.get("type") == "object")
    inner = (
        schema.get("items") if step.isdigit() and "items" in schema else schema.get("properties", {}).get(step, others)
    )
    return _has(document, inner, more) if isinstance(inner, dict) else inner is True
