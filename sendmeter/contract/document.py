"""The document: finds `openapi.yaml` and loads it, once; answers questions about its operations."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from sendmeter.contract.reading import parse, read_bytes
from sendmeter.contract.walking import METHODS, is_raw, paths, plain
from sendmeter.schemas import Schemas, Validator

_PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Operation:
    """One operation of the contract, with its validators ready made.

    `parameters` are those of the query; an answer without content has no validator, and neither has a body that is
    handed on as the bytes that it is. `scope` is what a key must have; None where any key will do. `public` operations
    ask for no key at all.
    """

    operation_id: str
    method: str
    path: str
    public: bool
    scope: str | None
    path_parameters: dict[str, Parameter]
    parameters: dict[str, Parameter]
    bodies: dict[str, Validator | None]
    body_required: bool
    answers: dict[int, Validator | None]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the path or the query: its schema's type, and a validator for its value."""

    name: str
    type: str
    required: bool
    default: Any
    validator: Validator


class Contract:
    """The OpenAPI document, and what follows from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.yaml_bytes = read_bytes(path)
        self.document = parse(self.yaml_bytes, str(path))
        self.json_bytes = json.dumps(self.document, ensure_ascii=False, indent=2).encode()
        self.schemas = Schemas(self.document)

    @cached_property
    def error_body(self) -> Validator:
        """The validator of the body that every error has."""
        return self.schemas.component("ErrorResponse")

    @cached_property
    def base_paths(self) -> tuple[str, ...]:
        """The relative server URLs, each without a slash at its end: the root is the empty text."""
        # Where no server is named it is the root (OpenAPI 3.0.3, "OpenAPI Object").
        urls = [server["url"] for server in self.document.get("servers") or [{"url": "/"}]]
        return tuple(url.rstrip("/") for url in urls if url.startswith("/"))

    def routes(self) -> dict[str, Any]:
        """Return what connexion routes by: paths, operations, parameters and media types, without their schemas.

        Connexion validates and resolves a whole document anew for each base path, which takes longer than all else when
        the server starts; what it would find is checked when the contract is changed.
        """
        return {
            "openapi": self.document["openapi"],
            "info": {"title": self.document["info"]["title"], "version": self.document["info"]["version"]},
            "paths": {
                path: {method: self._route(item[method]) for method in item if method in METHODS}
                for path, item in paths(self.document)
            },
        }

    def _route(self, item: dict[str, Any]) -> dict[str, Any]:
        parameters = [self.resolve(parameter) for parameter in item.get("parameters", [])]
        route = {
            "operationId": item["operationId"],
            "parameters": [
                {
                    "name": each["name"],
                    "in": each["in"],
                    "required": each.get("required", False),
                    "schema": {"type": self.resolve(each["schema"])["type"]},
                }
                for each in parameters
            ],
            "responses": {"default": {"description": "As the contract says."}},
        }
        media_types = self.resolve(item.get("requestBody", {})).get("content", {})
        return route | ({"requestBody": {"content": {name: {} for name in media_types}}} if media_types else {})

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """All operations by operationId."""
        found = [
            self._operation(path, method, item[method])
            for path, item in paths(self.document)
            for method in item
            if method in METHODS
        ]
        return {operation.operation_id: operation for operation in found}

    def operations_at(self, path: str) -> dict[str, Operation]:
        """Find the operations of a path by method; none where there is no such path. What takes GET takes HEAD too."""
        known = self._at_plain_paths.get(path)
        return self._search(path) if known is None else known

    @cached_property
    def _at_plain_paths(self) -> dict[str, dict[str, Operation]]:
        """What stands at the paths without parameters, looked for once."""
        plain_paths = [
            base_path + template
            for base_path in self.base_paths
            for template in self._by_template
            if "{" not in template
        ]
        return {path: self._search(path) for path in plain_paths}

    def _search(self, path: str) -> dict[str, Operation]:
        """Find the operations of a path below one of the base paths; those with parameters in their paths, too."""
        for base_path in sorted(self.base_paths, key=len, reverse=True):
            below = path[len(base_path) :] if path.startswith(f"{base_path}/") else ""
            found = [
                operation
                for template, operations in self._by_template.items()
                if template == below or ("{" in template and self._matches(template, below))
                for operation in operations
            ]
            if found:
                by_method = {operation.method: operation for operation in found}
                return by_method | ({"HEAD": by_method["GET"]} if "GET" in by_method else {})
        return {}

    @cached_property
    def _by_template(self) -> dict[str, list[Operation]]:
        found: dict[str, list[Operation]] = {}
        for operation in self.operations.values():
            found.setdefault(operation.path, []).append(operation)
        return found

    def resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        """Follow a `$ref` within the document."""
        while "$ref" in value:
            target: Any = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            value = target
        return value

    @staticmethod
    @lru_cache(maxsize=256)
    def _pattern(template: str) -> re.Pattern[str]:
        # No control characters: starlette's router does not see a path with a line feed in it.
        return re.compile(re.sub(r"\\\{[^/]+?\\\}", r"[^/\\x00-\\x1f\\x7f]+", re.escape(template)))

    def _matches(self, template: str, path: str) -> bool:
        return self._pattern(template).fullmatch(path) is not None

    def _operation(self, path: str, method: str, item: dict[str, Any]) -> Operation:
        body = self.resolve(item.get("requestBody", {}))
        bodies = body.get("content", {})
        answers = {
            int(status): next(iter(self.resolve(answer).get("content", {}).values()), None)
            for status, answer in plain(item["responses"]).items()
        }
        parameters = [self.resolve(parameter) for parameter in item.get("parameters", [])]
        return Operation(
            operation_id=item["operationId"],
            method=method.upper(),
            path=path,
            public=item.get("security", self.document["security"]) == [],
            scope=item.get("x-required-scope"),
            path_parameters={each["name"]: self._parameter(each) for each in parameters if each["in"] == "path"},
            parameters={each["name"]: self._parameter(each) for each in parameters if each["in"] == "query"},
            bodies={media_type: self._body(body["schema"]) for media_type, body in bodies.items()},
            body_required=body.get("required", False),
            answers={
                status: self.schemas.validator(content["schema"]) if content else None
                for status, content in answers.items()
            },
        )

    def _body(self, schema: dict[str, Any]) -> Validator | None:
        return None if is_raw(self.document, schema) else self.schemas.validator(schema)

    def _parameter(self, item: dict[str, Any]) -> Parameter:
        schema = self.resolve(item["schema"])
        return Parameter(
            name=item["name"],
            type=schema["type"],
            required=item.get("required", False),
            default=schema.get("default"),
            validator=self.schemas.validator(schema),
        )


_used: Contract | None = None


def contract() -> Contract:
    """Return the contract of this process: that of the installation, unless another is used."""
    return _used or use(Contract(find()))


def use(another: Contract) -> Contract:
    """Make a contract that of this process, as the mock does with a file that is being written."""
    global _used  # noqa: PLW0603 - one process, one contract
    _used = another
    return another


def find() -> Path:
    """Find the contract: inside the package where it is installed, at the root of a source tree."""
    installed = _PACKAGE / "openapi.yaml"
    return installed if installed.exists() else _PACKAGE.parent / "openapi.yaml"


def handlers_package() -> str:
    """Name the package of the handlers: inside the package where it is installed, at the root of a source tree."""
    return "sendmeter.handlers" if (_PACKAGE / "handlers").is_dir() else "handlers"
