"""The ids that we make: a prefix and a UUIDv7 (RFC 9562) in base 32, so that they sort by time."""

import base64
import binascii
import re
from datetime import datetime

from sendmeter.domain.instants import microseconds

_TEXT = re.compile(r"[a-z]+_[0-9a-v]{26}")


def new_id(prefix: str, now: datetime, entropy: bytes) -> str:
    """Make an id from the time and ten random bytes, like `org_06dbn3k9vtfo5c9m4q2h8s1a7e`."""
    random = int.from_bytes(entropy)
    milliseconds = microseconds(now) // 1000
    number = milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    # Base 32 with the extended hex alphabet keeps the order of the bytes.
    return f"{prefix}_{base64.b32hexencode(number.to_bytes(16)).decode().rstrip('=').lower()}"


def organization_number(organization_id: str) -> int | None:
    """Return the number that the store knows an organization by: the first 63 bits of its id; None where it is no id.

    They hold the time and 11 random bits. The store refuses a second organization with the same number, so that two
    made in the same millisecond cannot be mixed up.
    """
    if not organization_id.startswith("org_") or not _TEXT.fullmatch(organization_id):
        return None
    try:
        raw = base64.b32hexdecode(organization_id[4:].upper() + "======")
    except binascii.Error:  # pragma: no cover - the pattern leaves nothing that base 32 refuses
        return None
    return int.from_bytes(raw) >> 65
