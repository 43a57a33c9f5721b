"""JSON that providers send: read exactly, within bounds, and taken apart with what is wrong told by its place."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn, TypeVar

from sendmeter.domain.instants import read_instant
from sendmeter.errors import Fault, InvalidRequest

T = TypeVar("T")
_MOST_LEVELS = 32
_KINDS: Final[Mapping[type, str]] = {str: "a string", dict: "an object", list: "an array"}
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")


def read(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON (RFC 8259), bytes of it as UTF-8; numbers with a fraction or an exponent become exact decimals.

    Raises ValueError, which says what is wrong, where it is none, is too deep or has a number too long.
    """
    try:
        value = _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError(f"is nested deeper than {_MOST_LEVELS} levels") from None
    except InvalidOperation:
        raise ValueError("has a number with too many digits") from None
    _check_depth(value)
    return value


def read_signed(body: bytes) -> dict[str, Any]:
    """Read a body that is signed and has to be a JSON object. Raises InvalidRequest."""
    try:
        value = read(body)
    except ValueError as error:
        refuse("", f"the body {error}")
    if not isinstance(value, dict):
        refuse("", "the body is not a JSON object")
    return value


def at(document: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON
    """Give what is at a JSON pointer through objects; None where there is nothing."""
    for name in pointer.split("/")[1:]:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def expect(document: Any, pointer: str, kind: type[T], *, within: str = "") -> T:  # noqa: ANN401 - any JSON
    """Give what is at a pointer, which has to be of that type. Raises InvalidRequest, which points into `within`."""
    value = at(document, pointer)
    if not isinstance(value, kind):
        refuse(within + pointer, f"is not {_KINDS[kind]}")
    return value


def expect_message_id(document: Any, pointer: str, *, within: str = "") -> str:  # noqa: ANN401 - any JSON
    """Give the provider's id of a message at a pointer. Raises InvalidRequest."""
    value = expect(document, pointer, str, within=within)
    if not _MESSAGE_ID.fullmatch(value):
        refuse(within + pointer, "is not an id of 1 to 128 letters, digits and . _ : ~ -")
    return value


def expect_instant(document: Any, pointer: str, *, within: str = "") -> datetime:  # noqa: ANN401 - any JSON
    """Give the RFC 3339 instant at a pointer. Raises InvalidRequest."""
    try:
        return read_instant(expect(document, pointer, str, within=within))
    except ValueError as error:
        refuse(within + pointer, str(error))


def refuse(pointer: str, message: str) -> NoReturn:
    """Refuse what is signed, but is not what the provider sends."""
    raise InvalidRequest.of([Fault(pointer, message)])


def _check_depth(value: Any) -> None:  # noqa: ANN401 - any JSON
    level = [value]
    for _ in range(_MOST_LEVELS + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"is nested deeper than {_MOST_LEVELS} levels")


def _children(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _integer(text: str) -> int:
    if len(text) > 1000:
        raise ValueError("has a number with too many digits")
    return int(text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"has {name}, which is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_no_constant)
