"""API keys: what a caller shows, and what the key allows.

A key is `sendmeter_sk_` and, in URL-safe base 64, the organization's number (8 bytes) and 32 random bytes. The number
is no secret: it lets the store find the key in one row of one organization. The rest is; only its hash is kept.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sendmeter.domain.instants import instant_text

SCOPES = ("events:write", "events:read", "holds:write", "limits:write", "keys:write", "providers:write", "operator")
PREFIX = "sendmeter_sk_"
SECRET_BYTES = 32
_TOKEN_BYTES = 8 + SECRET_BYTES
_TOKEN = re.compile(f"{PREFIX}[A-Za-z0-9_-]{{{-(-_TOKEN_BYTES * 4 // 3)}}}")


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as the store keeps it: everything but the secret."""

    key_id: str
    organization_number: int
    account_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def refused(self, now: datetime) -> str | None:
        """Say why the key does not work (any more); None where it does."""
        if self.revoked_at is not None:
            return "The API key was revoked."
        if self.expires_at is not None and self.expires_at <= now:
            return "The API key has expired."
        return None

    def to_json(self) -> dict[str, Any]:
        """Write the contract's `Key`: times that there are not are left out."""
        times = {"expiresAt": self.expires_at, "revokedAt": self.revoked_at}
        return {
            "keyId": self.key_id,
            "accountId": self.account_id,
            "name": self.name,
            "scopes": list(self.scopes),
            "createdAt": instant_text(self.created_at),
            **{name: instant_text(instant) for name, instant in times.items() if instant is not None},
        }


def token_of(organization_number: int, secret: bytes) -> str:
    """Write the token that the caller shows."""
    raw = organization_number.to_bytes(8) + secret
    return PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_token(token: str) -> tuple[int, bytes] | None:
    """Read a token into the organization's number and the hash of the whole token; None where it is no token.

    A fast hash is enough: 32 random bytes cannot be guessed, however fast the guessing (unlike a password).
    """
    if not _TOKEN.fullmatch(token):
        return None
    body = token.removeprefix(PREFIX)
    raw = base64.urlsafe_b64decode(body + "==")
    return int.from_bytes(raw[:8]), hash_of(token)


def hash_of(token: str) -> bytes:
    """Return the hash under which a token is stored."""
    return hashlib.sha256(token.encode()).digest()
