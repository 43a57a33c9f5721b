"""Reading a contract: YAML as JSON, and clear words for a file that is none."""

import json
from pathlib import Path
from typing import Any

import yaml

from sendmeter.contract.from_yaml import from_yaml

Document = dict[str, Any]
# More levels than any contract needs, and fewer than Python can follow.
DEPTH = 100


class Unreadable(ValueError):  # noqa: N818 - it says what the file is
    """A file that is no contract: what is wrong with it, and what to do about it."""


def read(path: Path) -> Document:
    """Read the contract in a file.

    Raises Unreadable.
    """
    return parse(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Read a contract's file as it is.

    Raises Unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"Cannot read {path}: {error.strerror}. Name the file of a contract.") from error


def parse(data: bytes, name: str) -> Document:
    """Read a contract, in YAML or JSON; `name` is what its file is called.

    Raises Unreadable.
    """
    try:
        document = _value(data.decode("utf-8-sig"))
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name} is not UTF-8 (byte {error.start + 1:,}). Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        raise Unreadable(f"{name} is not YAML: {_parse_error(error)}. Mend it there.") from error
    except RecursionError as error:
        raise Unreadable(f"{name} is nested too deep: {DEPTH} levels are enough. Write it flatter.") from error
    except ValueError as error:
        raise Unreadable(f"{name} has what JSON has not: {error}. Write it as JSON has it.") from error
    if document is None:
        raise Unreadable(f"{name} is empty. Begin it with `openapi: 3.0.3`.")
    if not isinstance(document, dict):
        raise Unreadable(f"{name} is not a contract, but a {_kind(document)}. Begin it with `openapi: 3.0.3`.")
    return document


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON as such: not all of it is YAML."""
    if text.lstrip().startswith("{"):
        try:
            return _flat_enough(json.loads(text, object_pairs_hook=_unique))
        except json.JSONDecodeError:
            pass  # YAML may begin so, too, and says better what is wrong
    return from_yaml(text, DEPTH)


def _unique(members: list[tuple[str, Any]]) -> Document:
    made = dict(members)
    if len(made) < len(members):
        names = [name for name, _ in members]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made


def _flat_enough(value: Any) -> Any:  # noqa: ANN401 - any JSON
    level = [value]
    for _ in range(DEPTH):
        level = [part for each in level for part in _parts(each)]
    if level:
        raise RecursionError
    return value


def _parts(value: object) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def _parse_error(error: yaml.YAMLError) -> str:
    """Return a YAML error as one line, with its place in the file."""
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {said}" if mark else said


def _kind(value: object) -> str:
    return "list" if isinstance(value, list) else "text" if isinstance(value, str) else "number"
