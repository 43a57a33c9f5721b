"""Cursors: where a listing goes on, as a text that nobody but the server can make.

A cursor is signed (HMAC-SHA-256) with a key of the organization's own, over the listing that it belongs to. So a forged
one, one of another organization, or one of a listing with other filters, is none.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_SIGNATURE_BYTES = 16
Position = list[str | int]


def cursor_of(key: bytes, listing: Sequence[object], position: Position) -> str:
    """Write the cursor that goes on after a position; `listing` names the operation and its filters."""
    said = json.dumps(position).encode()
    return _text(_signature(key, listing, said) + said)


def read_cursor(key: bytes, listing: Sequence[object], cursor: str) -> Position:
    """Read a position.

    Raises ValueError if the cursor was not made by `cursor_of` with the same key for the same listing.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "==")  # more than is wanted does no harm
    except (binascii.Error, ValueError):
        raw = b""
    signature, said = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    # The decoder drops what it does not know, and the last bits: more texts than one would be the same cursor.
    if _text(raw) != cursor or not hmac.compare_digest(signature, _signature(key, listing, said)):
        raise ValueError("is not a cursor of this listing")
    position: Position = json.loads(said)
    return position


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _signature(key: bytes, listing: Sequence[object], said: bytes) -> bytes:
    signed = json.dumps([str(part) for part in listing]).encode() + b"\n" + said
    return hmac.new(key, signed, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a listing, and the cursor that goes on after it; None where it is the last."""

    items: list[T]
    next_cursor: str | None

    def to_json(self, item_to_json: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
        """Write the contract's `{items, nextCursor}`."""
        following = {} if self.next_cursor is None else {"nextCursor": self.next_cursor}
        return {"items": [item_to_json(item) for item in self.items], **following}


def page_of(
    key: bytes, listing: Sequence[object], found: list[T], limit: int, position_of: Callable[[T], Position]
) -> Page[T]:
    """Cut a page off what was found: one more than the limit says that the listing goes on."""
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], cursor_of(key, listing, position_of(found[limit - 1])))
