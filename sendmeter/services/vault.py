"""The vault: secrets of providers, encrypted before they are stored (Fernet: AES-128-CBC with HMAC-SHA-256).

Its keys come from the setting `secrets_key`. The first encrypts, all decrypt, so that a key can be replaced while the
server runs: put the new one first, restart, let `sendmeter providers reseal` encrypt everything anew, drop the old one.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sendmeter.errors import Conflict, Unavailable

# Fernet itself would take two keys with a blank between them for the first alone.
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_MAKE = 'Make one with "sendmeter providers new-key".'
_FIX = f"The operator sets SENDMETER_SECRETS_KEY for the server. {_MAKE}"


class Vault:
    """Encrypts and decrypts secrets with the keys of one setting; without a key it has none, and refuses."""

    def __init__(self, secrets_key: str) -> None:
        """Read the keys, which commas separate.

        Raises ValueError, without a word of them, where one is none of Fernet.
        """
        keys = [key.strip() for key in secrets_key.split(",") if key.strip()]
        if not all(_KEY.fullmatch(key) for key in keys):
            raise ValueError(f"SENDMETER_SECRETS_KEY is not a key of Fernet, or several by commas. {_MAKE}")
        self._keys = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def seal(self, secrets: Mapping[str, str]) -> str | None:
        """Encrypt secrets; None where there are none.

        Raises Conflict if there is no key to do it with.
        """
        if not secrets:
            return None
        if self._keys is None:
            raise Conflict("The server has no key to encrypt secrets with.", fix=_FIX)
        return self._keys.encrypt(json.dumps(dict(secrets)).encode()).decode()

    def unseal(self, sealed: str | None) -> dict[str, str]:
        """Decrypt secrets.

        Raises Unavailable if no key fits.
        """
        if sealed is None:
            return {}
        try:
            opened = self._keys.decrypt(sealed) if self._keys else None
        except InvalidToken:
            opened = None
        if opened is None:
            raise Unavailable("The secrets of the provider cannot be read: SENDMETER_SECRETS_KEY has not their key.")
        secrets: dict[str, str] = json.loads(opened)
        return secrets

    def reseal(self, sealed: str) -> str:
        """Encrypt with the first key what was encrypted with any of them.

        Raises Unavailable if no key fits, and Conflict where there is none.
        """
        made = self.seal(self.unseal(sealed))
        assert made is not None  # noqa: S101 - nothing is sealed that is empty
        return made


def new_key() -> str:
    """Make a key for the vault."""
    return Fernet.generate_key().decode()


@lru_cache(maxsize=8)
def vault_of(secrets_key: str) -> Vault:
    """Return the vault of a setting, made once."""
    return Vault(secrets_key)
