"""Request bodies: from bytes to JSON values, exactly, or a refusal that says why. What is signed stays bytes."""

import json
from typing import Any, NoReturn

from sendmeter import strict_json
from sendmeter.errors import Fault, InvalidRequest, UnsupportedMediaType


def media_type_of(content_type: str, taken: list[str]) -> str:
    """Read a Content-Type header, and refuse what the operation does not take.

    Raises UnsupportedMediaType.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in taken:
        said = f"does not take {media_type[:100]!r}" if media_type else "wants a Content-Type"
        raise UnsupportedMediaType(f"The operation {said}.", fix=_expected(taken))
    return media_type


def check_charset(content_type: str, taken: list[str]) -> None:
    """Refuse JSON in another character set than UTF-8.

    Raises UnsupportedMediaType.
    """
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset" and value.strip('"').lower() not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMediaType("The operation takes JSON in UTF-8 only.", fix=_expected(taken))


def _expected(taken: list[str]) -> str:
    return f"Send Content-Type: {' or '.join(taken)}."


def read_bytes(body: bytes) -> bytes:
    """Return a body as it is.

    Raises InvalidRequest if there is none.
    """
    if not body:
        _refuse("is empty")
    return body


def read_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON (RFC 8259) in UTF-8; numbers with a fraction or an exponent become exact decimals.

    Raises InvalidRequest if it is no JSON, too deep, or has what a database cannot keep: NUL, or half of a
    surrogate pair.
    """
    if not body:
        _refuse("is empty; the operation wants JSON")
    try:
        value = strict_json.read(body)
    except ValueError as error:
        _refuse(str(error))
    # Written as they are, UTF-8 has no halves and JSON no NUL.
    if b"\\u" in body:
        _check_characters(value)
    return value


def _check_characters(value: Any) -> None:  # noqa: ANN401 - any JSON
    try:
        plain = json.dumps(value, ensure_ascii=False, default=str)
        plain.encode()
    except UnicodeEncodeError:
        _refuse("has half of a surrogate pair (\\ud800 to \\udfff), which is no character")
    # `dumps` writes NUL as \u0000, and a backslash that stands before it as two.
    if "\\u0000" in plain.replace("\\\\", ""):
        _refuse("has the character NUL (\\u0000)")


def _refuse(what: str) -> NoReturn:
    raise InvalidRequest.of([Fault("", f"the body {what}")])
