"""Answers on demand: of any documented status, as an example has them or made from the schema."""

import secrets
from typing import Any

from sendmeter.contract import Contract, Operation
from sendmeter.errors import Fault, InvalidRequest
from sendmeter.mock.generation import ATTEMPTS, Generator
from sendmeter.mock.preferences import Preferences
from sendmeter.web.envelope import Answer
from sendmeter.web.validation import answer_of

SEED_LIMIT = 1 << 31
_JSON = "application/json"


def on_demand(contract: Contract, operation: Operation, wanted: Preferences, tracking_id: str) -> Answer:
    """Return the answer that is asked for, validated against the contract like any other.

    Where no status is asked for it is the lowest one, or the lowest that has the example. Raises InvalidRequest,
    listing those that there are, where the operation has no such status or example, and AssertionError where the
    contract's own example is not what its schema says.
    """
    answers = _answers(contract, operation)
    status = _status(operation, answers, wanted)
    seed = (wanted.seed if wanted.seed is not None else secrets.randbelow(SEED_LIMIT)) if wanted.dynamic else None
    value = _value(contract, operation, status, answers[status], wanted.example, seed)
    if status >= 400 and isinstance(value, dict):
        value = {**value, "trackingId": tracking_id}
    made = answer_of(operation, value, status)
    applied = {"code": status, "example": wanted.example, "dynamic": "true" if wanted.dynamic else None, "seed": seed}
    told = ", ".join(f"{name}={each}" for name, each in applied.items() if each is not None)
    media_type = made.headers if made.body else ()
    headers = (*media_type, *_headers(contract, answers[status]), ("preference-applied", told))
    return Answer(status, made.body, headers)


def first_example(contract: Contract, operation: Operation) -> tuple[Any, int]:
    """Return an answer of an operation that nobody has written yet: its lowest status, with its first example.

    Where that is not (yet) what its schema says, it is made from the schema.
    """
    answers = _answers(contract, operation)
    status = min(answers)
    value, validator = _value(contract, operation, status, answers[status], None, None), operation.answers[status]
    if validator is not None and not validator.accepts(value):
        value = _value(contract, operation, status, answers[status], None, 0)
    return value, status


def _answers(contract: Contract, operation: Operation) -> dict[int, dict[str, Any]]:
    """Return the answers of an operation as the document has them."""
    item = contract.document["paths"][operation.path][operation.method.lower()]
    return {int(status): contract.resolve(answer) for status, answer in sorted(item["responses"].items())}


def _status(operation: Operation, answers: dict[int, dict[str, Any]], wanted: Preferences) -> int:
    if wanted.code is not None and wanted.code not in answers:
        known = ", ".join(map(str, answers))
        raise _refused(f"code={wanted.code} is not an answer of {operation.operation_id}: it has {known}")
    statuses = list(answers) if wanted.code is None else [wanted.code]
    if wanted.example is None:
        return statuses[0]
    having = [status for status in statuses if wanted.example in _examples(answers[status])]
    if not having:
        known = "; ".join(f"{status}: {', '.join(_examples(answers[status])) or 'none'}" for status in statuses)
        raise _refused(f"example={wanted.example[:100]} is not an example of {operation.operation_id}: it has {known}")
    return having[0]


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest.of([Fault("header:Prefer", message)])


def _value(
    contract: Contract,
    operation: Operation,
    status: int,
    answer: dict[str, Any],
    example: str | None,
    seed: int | None,
) -> Any:  # noqa: ANN401 - any JSON
    if _JSON not in answer.get("content", {}):
        return None
    examples = _examples(answer)
    if seed is None and examples:
        return contract.resolve(examples[example or next(iter(examples))])["value"]
    return _generated(contract, operation, status, answer["content"][_JSON]["schema"], seed or 0)


def _examples(answer: dict[str, Any]) -> dict[str, Any]:
    content = answer.get("content", {}).get(_JSON, {})
    found: dict[str, Any] = content.get("examples", {})
    return found or ({"example": {"value": content["example"]}} if "example" in content else {})


def _generated(contract: Contract, operation: Operation, status: int, schema: dict[str, Any], seed: int) -> Any:  # noqa: ANN401 - any JSON
    """Make a value until it is what the whole schema says, across its parts, too."""
    generator = Generator(contract.resolve, seed)
    validator = operation.answers[status]
    for _ in range(ATTEMPTS):
        value = generator.value(schema)
        if validator is None or validator.accepts(value):
            return value
    raise AssertionError(f"nothing that was made for {status} of {operation.operation_id} is what its schema says")


def _headers(contract: Contract, answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the headers that an answer has beside those that every answer has."""
    resolved = {name.lower(): contract.resolve(header) for name, header in answer.get("headers", {}).items()}
    return [
        (name, str(example))
        for name, header in resolved.items()
        if name != "x-tracking-id" and (example := _example_of(contract, header)) is not None
    ]


def _example_of(contract: Contract, header: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    return header.get("example", contract.resolve(header["schema"]).get("example"))
