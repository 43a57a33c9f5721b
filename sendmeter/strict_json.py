"""JSON that comes from outside: read exactly and within bounds, or refused in words."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

MOST_LEVELS: Final = 32


class _NotJsonError(ValueError):
    """What Python would read beyond JSON, or in one of two ways."""


def read(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON (RFC 8259), bytes of it as UTF-8; numbers with a fraction or an exponent become exact decimals.

    Raises ValueError, which says what is wrong, where it is none or too deep, has a number too long or a member twice.
    """
    try:
        value = _DECODER.decode(text.decode() if isinstance(text, bytes) else text)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError(f"is nested deeper than {MOST_LEVELS} levels") from None
    except _NotJsonError:
        raise
    except (InvalidOperation, ValueError):
        raise ValueError("has a number with too many digits") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:  # noqa: ANN401 - any JSON
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_LEVELS):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"is nested deeper than {MOST_LEVELS} levels")


def _no_constant(name: str) -> NoReturn:
    raise _NotJsonError(f"has {name}, which is not JSON")


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Take each member once: of two, whoever read the request before may have read the other (RFC 8259, 4)."""
    made = dict(members)
    if len(made) < len(members):
        raise _NotJsonError("has a member twice in one object")
    return made


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_once)
