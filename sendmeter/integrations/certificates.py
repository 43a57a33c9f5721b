"""The certificates that Amazon SNS signs with: fetched once, kept while they are valid."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sendmeter.integrations import api_responses
from sendmeter.integrations.errors import ProviderTrouble
from sendmeter.integrations.http_client import Outgoing

_MOST_KEPT: Final = 64
_SHORTEST_KEY_BITS: Final = 2048
FAILURE_KEPT = timedelta(seconds=10)
"""How long a certificate that could not be had is not asked for again: a flood of forgeries asks for it once."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The public key of a certificate, and from when until when it is valid."""

    key: RSAPublicKey
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class _Kept:
    """What became of asking for a certificate: it, or the code and the words of what went wrong."""

    certificate: Certificate | None
    code: str
    message: str
    until: datetime


# One for each way out, gone with it.
_kept: WeakKeyDictionary[Outgoing, OrderedDict[str, _Kept]] = WeakKeyDictionary()
_lock = threading.Lock()
_asking = threading.Lock()
LONGEST_WAIT_SECONDS = 0.25


def fetch(url: str, host: str, now: datetime, outgoing: Outgoing) -> Certificate:
    """Return the certificate at a URL of that host, which the caller has checked; it may not be valid yet, or any more.

    Raises ProviderTrouble if it cannot be had, or is no certificate with an RSA key.
    """
    with _lock:
        kept = _kept.setdefault(outgoing, OrderedDict()).get(url)
    if kept is None or kept.until < now:
        # One asks at a time, and the others are told to come again: else all threads that write would wait for Amazon.
        if not _asking.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise ProviderTrouble("busy", "The certificate of Amazon SNS is being asked for.")
        try:
            kept = _ask(url, host, now, outgoing)
            _keep(url, kept, outgoing)
        finally:
            _asking.release()
    if kept.certificate is None:
        raise ProviderTrouble(kept.code, kept.message)
    return kept.certificate


def _keep(url: str, kept: _Kept, outgoing: Outgoing) -> None:
    with _lock:
        ours = _kept.setdefault(outgoing, OrderedDict())
        ours[url] = kept
        if len(ours) > _MOST_KEPT:
            ours.popitem(last=False)


def _ask(url: str, host: str, now: datetime, outgoing: Outgoing) -> _Kept:
    try:
        answer = outgoing.get(url, hosts={host})
        if answer.status != 200:
            raise api_responses.refused(answer, "Amazon SNS")
        certificate = _read(answer.body)
    except ProviderTrouble as trouble:
        return _Kept(None, trouble.code, trouble.message, now + FAILURE_KEPT)
    # One that is not valid any more is asked for again, but not with each delivery.
    return _Kept(certificate, "", "", max(certificate.valid_until, now + FAILURE_KEPT))


def _read(pem: bytes) -> Certificate:
    try:
        read = x509.load_pem_x509_certificate(pem)
        key = read.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise ProviderTrouble("broken_answer", "What Amazon SNS gives as its certificate is none.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _SHORTEST_KEY_BITS:
        raise ProviderTrouble("broken_answer", "The certificate of Amazon SNS has no RSA key of 2048 bits or more.")
    return Certificate(key, read.not_valid_before_utc, read.not_valid_after_utc)
