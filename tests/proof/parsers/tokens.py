"""Cursors, keys and ids: what the server made reads back, and no other text does."""

import base64
import hashlib
import hmac
import json
import re
from contextlib import suppress

from sendmeter.domain.cursors import cursor_of, read_cursor
from sendmeter.domain.ids import new_id, organization_number
from sendmeter.domain.instants import instant_of
from sendmeter.domain.keys import PREFIX, SECRET_BYTES, read_token, token_of
from sendmeter.domain.providers import ENDPOINT_SECRET_BYTES, endpoint_id_of, read_endpoint_id
from tests.proof.parsers.drawn import Drawn, edited

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
LISTING, OTHER_LISTING = ("events.search", "SMS", None, None), ("events.search", None, None, None)
URL_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
BASE_32 = frozenset("0123456789abcdefghijklmnopqrstuv")

CURSOR = cursor_of(KEY, LISTING, [1_795_176_000_000_000, "gateway", "sms-1"])
CURSOR_SEEDS = [
    b"\0" + CURSOR.encode(),
    b"\0" + CURSOR.encode() + b"=",
    b"\0",
    b"\1\2gateway\0sms-1",
    b"\1" + bytes(40),
]
KEY_SEEDS = [
    token_of(1 << 62, bytes(range(SECRET_BYTES))).encode(),
    token_of((1 << 64) - 1, bytes(SECRET_BYTES)).encode(),
    endpoint_id_of(1 << 62, bytes(range(ENDPOINT_SECRET_BYTES))).encode(),
    b"ep_" + b"v" * 39,
    new_id("org", instant_of(1_795_176_000_000_000), bytes(10)).encode(),
    b"org_" + b"v" * 26,
]


def check_cursor(data):
    drawn = Drawn(data)
    if drawn.number(2) == 0:
        text = drawn.rest().decode(errors="surrogateescape")
        assert _position(KEY, LISTING, text) == _signed(text)
        return
    position = [_part(drawn) for _ in range(drawn.number(5))]
    cursor = cursor_of(KEY, LISTING, position)
    assert read_cursor(KEY, LISTING, cursor) == position
    assert not set(cursor) - URL_SAFE
    assert _signed(cursor) == position
    assert _position(OTHER_KEY, LISTING, cursor) is _position(KEY, OTHER_LISTING, cursor) is None
    other = edited(cursor.encode(), drawn).decode(errors="surrogateescape")
    assert _position(KEY, LISTING, other) == (position if other == cursor else None)


def _part(drawn):
    return drawn.text(128) if drawn.number(2) else int.from_bytes(drawn.some(8), signed=True)


def _position(key, listing, cursor):
    with suppress(ValueError):
        return read_cursor(key, listing, cursor)
    return None


def _signed(cursor):
    """Read a cursor by hand: base 64 in its one form, with the signature before what is signed."""
    if set(cursor) - URL_SAFE or len(cursor) % 4 == 1:
        return None
    raw = base64.b64decode(cursor.translate(str.maketrans("-_", "+/")) + "=" * (-len(cursor) % 4), validate=True)
    listing = json.dumps([str(part) for part in LISTING]).encode()
    made = hmac.digest(KEY, listing + b"\n" + raw[16:], "sha256")[:16]
    is_plain = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == cursor
    return json.loads(raw[16:]) if is_plain and hmac.compare_digest(made, raw[:16]) else None


def check_key(data):
    text = data.decode(errors="surrogateescape")
    body = text.removeprefix(PREFIX)
    is_token = text.startswith(PREFIX) and len(body) == 54 and not set(body) - URL_SAFE
    assert (read_token(text) is not None) == is_token
    if is_token:
        raw = base64.urlsafe_b64decode(body + "==")
        assert read_token(text) == (int.from_bytes(raw[:8]), hashlib.sha256(text.encode()).digest())
        # Another text of the same bytes is another token: its hash is that of nobody.
        assert (token_of(int.from_bytes(raw[:8]), raw[8:]) == text) == (body[-1] in "AQgw")
    _check_endpoint(text)
    _check_organization(text)
    _check_made(data)


def _check_endpoint(text):
    number = read_endpoint_id(text)
    is_endpoint = text.startswith("ep_") and len(text) == 42 and not set(text[3:]) - BASE_32
    assert number is None or (is_endpoint and 0 <= number < 1 << 63)
    if is_endpoint:
        leading = int(text[3:16], 32) >> 1
        assert number == (leading if leading < 1 << 63 else None)


def _check_organization(text):
    number = organization_number(text)
    is_organization = re.fullmatch("org_[0-9a-v]{26}", text) is not None
    assert number == (int(text[4:17], 32) >> 2 if is_organization else None)
    assert number is None or 0 <= number < 1 << 63


def _check_made(data):
    number, secret = int.from_bytes(data[:8]) >> 1, data[8:].ljust(SECRET_BYTES, b"\0")[:SECRET_BYTES]
    token = token_of(number, secret)
    assert read_token(token) == (number, hashlib.sha256(token.encode()).digest())
    assert read_endpoint_id(endpoint_id_of(number, secret[:ENDPOINT_SECRET_BYTES])) == number
    made = new_id("org", instant_of(number % (1 << 57)), secret)
    assert organization_number(made) is not None
