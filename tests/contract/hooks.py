"""What the fuzzer must know beside the contract. Loaded by schemathesis.toml, not by pytest.

A schema cannot say «not more than 5 minutes ahead»: most valid date-times would be refused, truthfully.
"""

from datetime import UTC, datetime, timedelta

import schemathesis
from hypothesis import strategies
from jsonschema import Draft4Validator
from schemathesis.generation import GenerationMode

from sendmeter.contract import contract
from sendmeter.domain.instants import read_instant

STARTED = datetime.now(UTC)
AHEAD = timedelta(minutes=4)

# Instants of the last minutes, in the forms that RFC 3339 knows.
schemathesis.openapi.format(
    "date-time",
    strategies.builds(
        lambda seconds, ending: (STARTED - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + ending,
        strategies.integers(0, 600),
        strategies.sampled_from(["Z", ".5Z", ".123456Z", "+00:00", "-00:00"]),
    ),
)


@schemathesis.hook
def filter_case(_context, case):
    """Leave out cases that are not what the fuzzer takes them for.

    Events of the future: it takes instants from answers too, such as the end of the cycle. And «invalid» bodies that
    are valid: it breaks one branch of a `oneOf`, and may hit the other (SMS without a cost becomes EMAIL). Whether they
    are is asked of the jsonschema package, not of our own validator, which is under test.
    """
    ahead = any(_is_ahead(text) for text in _texts(case.body))
    return not ahead and not (_only_the_body_is_meant_to_be_invalid(case) and _is_valid(case))


def _only_the_body_is_meant_to_be_invalid(case):
    components = case.meta.components if case.meta else {}
    return [place.value for place, made in components.items() if made.mode is GenerationMode.NEGATIVE] == ["body"]


def _is_valid(case):
    operation = contract().document["paths"][case.operation.path][case.operation.method]
    content = operation.get("requestBody", {}).get("content", {})
    if not isinstance(case.media_type, str) or case.media_type not in content:
        return False
    components = {"components": contract().document["components"]}
    schema = {**components, "allOf": [content[case.media_type]["schema"]]}
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).is_valid(case.body)


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def _is_ahead(text):
    try:
        return read_instant(text) > datetime.now(UTC) + AHEAD
    except ValueError:
        return False
