"""Who asks, and whether they may: API keys and their scopes, as the contract wants them for each operation."""

from collections.abc import Sequence
from datetime import datetime

from sendmeter.contract import Operation
from sendmeter.domain.keys import Key
from sendmeter.errors import Forbidden, Unauthorized
from sendmeter.services import keys
from sendmeter.store import Store


def caller(store: Store, operation: Operation, authorization: list[str], now: datetime) -> Key | None:
    """Return the key that a request shows, or None if the operation requires none.

    Raises Unauthorized and Forbidden.
    """
    if operation.public:
        return None
    key = keys.caller_of(store, token_of(authorization), now)
    check_scope(operation, key)
    return key


def check_scope(operation: Operation, key: Key) -> None:
    """Raise Forbidden where a key lacks the scope that the operation wants."""
    if operation.scope is not None and operation.scope not in key.scopes:
        raise Forbidden(
            f"This operation needs a key with the scope {operation.scope}; this key has {_listed(key.scopes)}.",
            fix=f'Use a key with the scope {operation.scope}, or make one with "sendmeter keys create".',
        )


def _listed(scopes: Sequence[str]) -> str:
    return ", ".join(scopes) or "no scopes"


def token_of(authorization: list[str]) -> str:
    """Read the token of a request's Authorization headers.

    Raises Unauthorized if there is none.
    """
    if not authorization:
        raise Unauthorized("The request has no API key.")
    if len(authorization) > 1:
        raise Unauthorized("The request has more than one Authorization header.")
    scheme, _, token = authorization[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("The Authorization header is not of the Bearer scheme.")
    if not token.strip():
        raise Unauthorized("The request has no API key: nothing stands behind Bearer.")
    return token.strip()
