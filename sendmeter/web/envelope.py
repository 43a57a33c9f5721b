"""The one place that makes an error into an answer, whoever raised it."""

import logging
import math
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.exceptions import HTTPException

from sendmeter import errors
from sendmeter.contract import contract
from sendmeter.contract.statuses import STATUSES
from sendmeter.store.failures import in_one_line

logger = logging.getLogger(__name__)

DETAILS_LIMIT = 100
MESSAGE_LIMIT = 1000
CHALLENGE = 'Bearer realm="sendmeter"'
SAFE_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
"""What every answer has."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)

    def start(self) -> dict[str, Any]:
        """Write what comes before the body, as ASGI has it."""
        headers = [(name.encode(), value.encode("latin-1")) for name, value in self.headers]
        if self.body:
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": headers}


def error_answer(error: Exception, tracking_id: str, documented: frozenset[int] | None = None) -> Answer:
    """Make an error into an answer.

    A refusal tells its caller what is wrong and what to do. Anything else is a failure of the server: it says nothing
    of the inside but the tracking id, under which the log has the cause. So does a refusal with a status that the
    contract does not document for the operation (`documented`): the contract never lies.
    """
    refusal = _refusal_of(error)
    status = STATUSES.get(type(refusal), 500) if refusal else 500
    if refusal is not None and error.__cause__ is not None and status >= 500:
        # On one line: as long as a database does not answer, each request has one.
        logger.warning("%s %s", refusal.message, in_one_line(error.__cause__))
    if refusal and documented is not None and status not in documented:
        logger.error("%d is not an answer that the contract has for this operation", status)
        if isinstance(refusal, errors.Unavailable):
            return _answer(500, tracking_id, _INTERNAL_ERROR)
        refusal = None
    if refusal is None:
        logger.error("the server failed", exc_info=error)
        return _answer(500, tracking_id, _INTERNAL_ERROR)
    return _answer(status, tracking_id, _content(refusal), _headers(refusal))


def _refusal_of(error: Exception) -> errors.Refusal | None:
    if isinstance(error, errors.Refusal):
        return error
    if isinstance(error, HTTPException) and error.status_code == 404:
        return no_such_path()
    return None


def no_such_path() -> errors.NotFound:
    """Refuse a path that the contract does not have."""
    return errors.NotFound("There is no such path.", fix="See /docs for the paths that there are.")


_INTERNAL_ERROR = {
    "code": "internal_error",
    "message": "The server failed to answer.",
    "fix": "Send the same request again; if it fails again, tell the operator the tracking id.",
}


def _content(refusal: errors.Refusal) -> dict[str, Any]:
    content: dict[str, Any] = {"code": refusal.code, "message": refusal.message[:MESSAGE_LIMIT]}
    if refusal.fix:
        content["fix"] = refusal.fix
    if isinstance(refusal, errors.ProviderFailed):
        content |= {"provider": refusal.provider, "providerCode": refusal.provider_code}
    if refusal.faults:
        shown = refusal.faults[:DETAILS_LIMIT]
        content["details"] = [{"pointer": fault.pointer, "message": fault.message} for fault in shown]
    return content


def _headers(refusal: errors.Refusal) -> tuple[tuple[str, str], ...]:
    match refusal:
        case errors.Unauthorized():
            return (("www-authenticate", CHALLENGE),)
        case errors.MethodNotAllowed():
            return (("allow", ", ".join(refusal.allowed)),)
        case errors.TooManyRequests():
            # Whole seconds (RFC 9110, 10.2.3): a caller that waits for them has waited long enough.
            return (("retry-after", str(max(1, math.ceil(refusal.retry_after_seconds)))),)
        case errors.Unavailable():
            return (("retry-after", "1"),)
    return ()


def _answer(
    status: int, tracking_id: str, content: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    body = {"trackingId": tracking_id, "error": content}
    if faults := contract().error_body.faults(body):
        logger.error("the error body breaks the contract: %s", faults)
        status, headers, body = 500, (), {"trackingId": tracking_id, "error": _INTERNAL_ERROR}
    return Answer(
        status, orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE), (("content-type", "application/json"), *headers)
    )
