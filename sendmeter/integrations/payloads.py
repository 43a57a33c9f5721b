"""JSON that providers send, taken apart: what is wrong is told by its place."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

from sendmeter import strict_json
from sendmeter.domain.instants import read_instant
from sendmeter.errors import Fault, InvalidRequest

T = TypeVar("T")
_KINDS: Final[Mapping[type, str]] = {str: "a string", dict: "an object", list: "an array"}
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")


def read_signed(body: bytes) -> dict[str, Any]:
    """Read a body that is signed and has to be a JSON object. Raises InvalidRequest."""
    try:
        value = strict_json.read(body)
    except ValueError as error:
        refuse("", f"the body {error}")
    if not isinstance(value, dict):
        refuse("", "the body is not a JSON object")
    return value


def at(document: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON
    """Return what is at a JSON pointer through objects; None where there is nothing."""
    for name in pointer.split("/")[1:]:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def expect(document: Any, pointer: str, kind: type[T], *, within: str = "") -> T:  # noqa: ANN401 - any JSON
    """Return what is at a pointer, which has to be of that type. Raises InvalidRequest, which points into `within`."""
    value = at(document, pointer)
    if not isinstance(value, kind):
        refuse(within + pointer, f"is not {_KINDS[kind]}")
    return value


def expect_message_id(document: Any, pointer: str, *, within: str = "") -> str:  # noqa: ANN401 - any JSON
    """Return the provider's id of a message at a pointer. Raises InvalidRequest."""
    value = expect(document, pointer, str, within=within)
    if not _MESSAGE_ID.fullmatch(value):
        refuse(within + pointer, "is not an id of 1 to 128 letters, digits and . _ : ~ -")
    return value


def expect_instant(document: Any, pointer: str, *, within: str = "") -> datetime:  # noqa: ANN401 - any JSON
    """Return the RFC 3339 instant at a pointer. Raises InvalidRequest."""
    try:
        return read_instant(expect(document, pointer, str, within=within))
    except ValueError as error:
        refuse(within + pointer, str(error))


def refuse(pointer: str, message: str) -> NoReturn:
    """Refuse what is signed, but is not what the provider sends."""
    raise InvalidRequest.of([Fault(pointer, message)])
