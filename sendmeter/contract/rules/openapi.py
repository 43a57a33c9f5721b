"""The rules of OpenAPI 3.0 itself, by the library openapi-spec-validator. Slow to import: only who asks does so."""

from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema_rs
from openapi_spec_validator import OpenAPIV30SpecValidator
from openapi_spec_validator.schemas import schema_v30

from sendmeter.contract.reading import Document
from sendmeter.contract.rules.references import Finding
from sendmeter.contract.walking import METHODS

_SHOWN = 200


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
    """Names are unique, paths have their parameters, defaults are what their schemas say."""
    for error in OpenAPIV30SpecValidator(document).iter_errors():
        yield _where(list(error.absolute_path)), error.message.partition("\n")[0][:_SHOWN]


def _nearest(error: jsonschema_rs.ValidationError) -> Iterator[jsonschema_rs.ValidationError]:
    """Of what may be several shapes, tell what is wrong with the one that was meant: mostly no reference."""
    if not isinstance(
        error.kind, jsonschema_rs.ValidationErrorKind.OneOfNotValid | jsonschema_rs.ValidationErrorKind.AnyOf
    ):
        yield error
        return
    meant = [
        branch
        for branch in error.kind.context
        if not any("'$ref'" in each.message or '"$ref"' in each.message for each in branch)
    ]
    for nearer in (meant or error.kind.context)[0]:
        yield from _nearest(nearer)


def _where(path: Sequence[Any]) -> str:
    """Tell where something stands: an operation by its method and path, anything else by a JSON pointer."""
    steps = [str(step) for step in path]
    if len(steps) > 2 and steps[0] == "paths" and steps[2] in METHODS:
        return " ".join([f"{steps[2].upper()} {steps[1]}", "/".join(steps[3:])]).strip()
    return "/".join(["#", *(step.replace("~", "~0").replace("/", "~1") for step in steps)])
