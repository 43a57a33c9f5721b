"""The mock's wiring: the server's layers over worlds, open to browsers, anew when the contract's file changes."""

import logging
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path

import flask
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from sendmeter.app import assemble, handler_of
from sendmeter.contract import Contract, find, use
from sendmeter.contract.reading import Unreadable
from sendmeter.gate.rules import Violation, disagreements, unsound, violations
from sendmeter.mock.answers import first_example
from sendmeter.mock.bridge import MockBridge
from sendmeter.mock.pages import MockPages
from sendmeter.mock.worlds import Worlds
from sendmeter.web.validation import answering

SHOWN_TO_SCRIPTS = (
    "Allow",
    "Preference-Applied",
    "Retry-After",
    "WWW-Authenticate",
    "X-Tracking-Id",
)
WARNINGS = 5
logger = logging.getLogger(__name__)


def create_mock(path: Path, worlds: Worlds) -> ASGIApp:
    """Build the mock of a contract's file.

    Raises Unreadable if the file cannot be read as a contract.
    """
    # The origin is told back, and not just "*", so that pages which send credentials may read the answer.
    return CORSMiddleware(
        FollowingContract(path, worlds),
        allow_origin_regex=".*",
        allow_credentials=True,
        allow_private_network=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=list(SHOWN_TO_SCRIPTS),
    )


class FollowingContract:
    """An ASGI application that is built anew when the contract's file has changed. Worlds stay."""

    def __init__(self, path: Path, worlds: Worlds) -> None:
        self._path = path
        self._worlds = worlds
        self._seen = _version(path)
        # The installation's own keeps the rules: its tests see to that, and the mock starts sooner.
        self._app = self._built(checked=path != find())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, by the contract as it is now."""
        self._follow()
        await self._app(scope, receive, send)

    def _follow(self) -> None:
        version = _version(self._path)
        if version in (None, self._seen):
            return
        self._seen = version
        try:
            self._app = self._built(checked=True)
        except Unreadable as error:
            logger.error("%s The mock goes on with what the contract was.", error)  # noqa: TRY400 - no traceback: it is a typing slip
        else:
            logger.info("%s has changed: the mock follows it.", self._path)

    def _built(self, *, checked: bool) -> ASGIApp:
        try:
            contract = Contract(self._path)
            if checked:
                _check(contract)
            _ = contract.error_body  # compiled now, so that a slip in it is found now
            app = _assembled(contract, self._worlds)
        except Unreadable:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            advice = 'Check it with "sendmeter contract lint".'
            raise Unreadable(f"{self._path} cannot be served ({what}). {advice}") from error
        use(contract)
        return app


def _version(path: Path) -> tuple[int, int] | None:
    """Return what changes whenever the file does, or None while an editor has it moved away."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _check(contract: Contract) -> None:
    """Warn of the rules that a contract breaks.

    Raises Unreadable if it is not OpenAPI, so that it cannot be served.
    """
    found = unsound(contract.document) or disagreements(contract.document)
    if found:
        raise Unreadable(f"{contract.path} is not sound: {'; '.join(_violation_line(each) for each in found[:3])}.")
    broken = violations(contract.document)
    for each in broken[:WARNINGS]:
        logger.warning("the contract: %s", _violation_line(each))
    if len(broken) > WARNINGS:
        logger.warning('the contract: "sendmeter contract lint" lists %d more', len(broken) - WARNINGS)


def _violation_line(violation: Violation) -> str:
    return f"{violation.where} {violation.what}"


def _assembled(contract: Contract, worlds: Worlds) -> ASGIApp:
    handlers = {operation_id: _handler(contract, operation_id) for operation_id in contract.operations}
    return assemble(
        contract,
        partial(MockBridge, worlds=worlds),
        MockPages(contract, worlds),
        lambda operation_id: handlers[operation_id],
    )


def _handler(contract: Contract, operation_id: str) -> Callable[..., flask.Response]:
    """Find the function of an operation.

    One that nobody has written yet answers with the contract's example, and so does one whose answer is not (yet) what
    the contract has.
    """
    operation = contract.operations[operation_id]
    example = answering(operation, lambda: first_example(contract, operation))
    try:
        written = handler_of(contract, operation_id)
    except (ModuleNotFoundError, AttributeError):
        logger.warning("%s has no function yet: it is answered with the contract's example", operation_id)
        return example

    @wraps(written)
    def answer(**path: str) -> flask.Response:
        try:
            return written(**path)
        except AssertionError as error:
            logger.error("%s: it is answered with the contract's example", error)  # noqa: TRY400 - the contract's, not ours
            return example(**path)

    return answer
