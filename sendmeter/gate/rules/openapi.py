"""The rules of OpenAPI 3.0 itself, by the library openapi-spec-validator. Slow to import: only who asks does so."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

import jsonschema_rs
from openapi_spec_validator import OpenAPIV30SpecValidator
from openapi_spec_validator.schemas import schema_v30
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from sendmeter.contract.reading import Document
from sendmeter.contract.walking import METHODS, parts, plain
from sendmeter.gate.rules.references import Finding

_SHOWN = 200
_Kind = jsonschema_rs.ValidationErrorKind


def it_has_the_shape_of_openapi(document: Document) -> Iterator[Finding]:
    """Each contract is OpenAPI 3.0 (https://spec.openapis.org/oas/v3.0.3): connexion takes no other."""
    version = document.get("openapi")
    if not str(version).startswith("3.0."):
        yield (
            "#/openapi",
            f"is {version!r}; write `openapi: 3.0.3`" if version else "is missing; write `openapi: 3.0.3`",
        )
        return
    for error in jsonschema_rs.Draft4Validator(dict(schema_v30)).iter_errors(document):
        for nearer in _nearest(error):
            yield _where(nearer.instance_path), nearer.message.partition("\n")[0][:_SHOWN]


def it_agrees_with_itself(document: Document) -> Iterator[Finding]:
    """Names are unique, and paths have their parameters."""
    # The library takes an extension among the paths for a path, and follows a default that looks like a reference.
    checked = deepcopy({**document, "paths": plain(document["paths"])})
    for _, kind, part in parts(checked):
        if kind == "schemas":
            part.pop("default", None)
    for error in OpenAPIV30SpecValidator(checked).iter_errors():
        # What it says of schemas it says of no place; our rules do.
        if type(error) is not OpenAPIValidationError:
            yield _where(list(error.absolute_path)), error.message.partition("\n")[0][:_SHOWN]


def _nearest(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    """Of what may be several shapes, tell what is wrong with the one that was meant."""
    if isinstance(error.kind, _Kind.OneOfNotValid | _Kind.AnyOf):
        for nearer in min(error.kind.context, key=_unlikely):
            yield from _nearest(nearer)
    else:
        yield error


def _unlikely(branch: list[jsonschema_rs.ValidationError]) -> tuple[bool, bool, int]:
    """Return how unlikely a shape was meant: is it a reference, is it another, how many faults has it."""
    is_reference = any(isinstance(each.kind, _Kind.Required) and each.kind.property == "$ref" for each in branch)
    is_another = any([*each.instance_path][-1:] in (["in"], ["type"]) for each in branch)
    return is_reference, is_another, len(branch)


def _where(path: Sequence[Any]) -> str:
    """Return the place of something: an operation's method and path, or a JSON pointer."""
    steps = [str(step) for step in path]
    if len(steps) > 2 and steps[0] == "paths" and steps[2] in METHODS:
        return " ".join([f"{steps[2].upper()} {steps[1]}", "/".join(steps[3:])]).strip()
    return "/".join(["#", *(step.replace("~", "~0").replace("/", "~1") for step in steps)])
