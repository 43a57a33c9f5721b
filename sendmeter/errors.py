"""Refusals: the reasons for which Sendmeter says no, with stable codes. Knows nothing of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was asked: where (a JSON pointer, or `query:name`) and what."""

    pointer: str
    message: str


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """Why something was not done, told to whoever asked for it.

    `message` says what is wrong, `fix` what the caller can do. Both are shown to the caller: nothing secret goes in.
    """

    code: ClassVar[str]
    fix: str = ""

    def __init__(self, message: str, *, fix: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.faults = tuple(faults)
        if fix is not None:
            self.fix = fix


class InvalidRequest(Refusal):
    """What was asked breaks the contract or a rule; `faults` points at each thing."""

    code = "invalid_request"
    fix = "Correct what `details` points at and send the request again. Nothing was stored."

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> "InvalidRequest":
        """Return a refusal that names all faults at once."""
        count = len(faults)
        return cls(f"The request has {count} fault{'' if count == 1 else 's'}.", faults=faults)


class Unauthorized(Refusal):
    """Nobody knows who asks: the key is missing, unknown, revoked or expired."""

    code = "unauthorized"
    fix = 'Send the header "Authorization: Bearer sendmeter_sk_…" with a key made by "sendmeter keys create".'


class UsageLimitExceeded(Refusal):
    """A cap is reached and the organization's enforcement refuses to go on."""

    code = "usage_limit_exceeded"
    fix = "Raise the cap, or wait for the next billing cycle."


class Forbidden(Refusal):
    """The caller is known but may not do this."""

    code = "forbidden"


class NotFound(Refusal):
    """There is no such thing, or not for this caller."""

    code = "not_found"


class MethodNotAllowed(Refusal):
    """The thing is there but does not know the method; `allowed` names those that it knows."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: Sequence[str]) -> None:
        super().__init__(message, fix=f"Use one of {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class Conflict(Refusal):
    """What was asked contradicts what is stored."""

    code = "conflict"


class PayloadTooLarge(Refusal):
    """More than one request may carry."""

    code = "payload_too_large"


class UnsupportedMediaType(Refusal):
    """The body is of a kind that the operation does not take."""

    code = "unsupported_media_type"


class TooManyRequests(Refusal):
    """More is under way than the server takes at once, or comes in a second than it takes from one caller."""

    code = "too_many_requests"
    fix = "Send the same request again after the seconds in Retry-After."

    def __init__(
        self, message: str, *, retry_after_seconds: float = 1, fix: str | None = None, faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(message, fix=fix, faults=faults)
        self.retry_after_seconds = retry_after_seconds


class ProviderFailed(Refusal):
    """A provider owes costs and does not tell them, so that a sum would be too small."""

    code = "provider_error"

    def __init__(self, message: str, *, provider: str, provider_code: str, fix: str) -> None:
        super().__init__(message, fix=fix)
        self.provider = provider
        self.provider_code = provider_code


class Unavailable(Refusal):
    """The store does not answer, or not in time. Nothing was acknowledged."""

    code = "unavailable"
    fix = "Send the same request again after the seconds in Retry-After."


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or cannot be read or written."""
