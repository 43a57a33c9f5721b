"""What a provider's API answers: JSON with status 200, or a trouble with the provider's own code."""

import re
from typing import Any, Final

from sendmeter import strict_json
from sendmeter.integrations import payloads
from sendmeter.integrations.errors import MessageTrouble, ProviderTrouble
from sendmeter.integrations.http_client import Answer

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_WORDS: Final = {
    401: "refuses the credentials",
    403: "does not allow what was asked",
    404: "does not know what was asked",
    429: "asks for fewer requests",
}


def read(answer: Answer, provider: str) -> dict[str, Any]:
    """Read the JSON object that an API answered about one message; `provider` is its name for readers.

    Raises MessageTrouble if it says in its own JSON that it does not know the message, and ProviderTrouble for all
    else but 200 and an object: a 404 of something else, which stands between, says nothing of the message.
    """
    try:
        document = strict_json.read(answer.body)
    except ValueError:
        document = None
    if answer.status != 200:
        raise _trouble(answer, document, provider)
    if not isinstance(document, dict):
        raise broken(provider)
    return document


def broken(provider: str) -> ProviderTrouble:
    """Make the trouble of an answer with status 200 that is not what the API documents."""
    return ProviderTrouble("broken_answer", f"{provider} answers with something else than its API documents.")


def refused(answer: Answer, provider: str, code: str | None = None) -> ProviderTrouble:
    """Make the trouble of any other status than 200; the provider's free text stays out of it."""
    words = _WORDS.get(answer.status) or ("fails" if answer.status >= 500 else "refuses what was asked")
    message = f"{provider} {words} ({answer.status})."
    retry_after = answer.retry_after if answer.status in (429, 503) else None
    return ProviderTrouble(code or f"http_{answer.status}", message, retry_after=retry_after)


def _trouble(answer: Answer, document: Any, provider: str) -> ProviderTrouble | MessageTrouble:  # noqa: ANN401 - any JSON
    code = _code(document)
    if answer.status == 404 and code is not None:
        return MessageTrouble(code, f"{provider} does not know that message.")
    return refused(answer, provider, code)


def _code(document: Any) -> str | None:  # noqa: ANN401 - any JSON
    """Find the provider's own code: Twilio's `code`, a number, or the `code` of the first of Telnyx's `errors`."""
    code = payloads.at(document, "/code")
    errors = payloads.at(document, "/errors")
    if isinstance(errors, list) and errors:
        code = payloads.at(errors[0], "/code")
    if isinstance(code, bool) or not isinstance(code, str | int):
        return None
    return str(code) if _CODE.fullmatch(str(code)) else None
