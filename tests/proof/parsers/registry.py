"""The parsers that are fuzzed, by name: what checks one, what it begins with, and words that its input is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.parsers import amounts, bodies, events, provider_responses, signatures, times, tokens

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Parser:
    """`check` feeds bytes to a parser and raises where it does not do what it says; each seed is an input for it.

    One that asks a server is slow.
    """

    check: Callable[[bytes], None]
    seeds: list[bytes]
    tokens: list[str] = field(default_factory=list)
    slow: bool = False


PARSERS = {
    "money": Parser(amounts.check, amounts.SEEDS, amounts.TOKENS),
    "instants": Parser(times.check, times.SEEDS, times.TOKENS),
    "cursors": Parser(tokens.check_cursor, tokens.CURSOR_SEEDS),
    "keys": Parser(tokens.check_key, tokens.KEY_SEEDS, ["sendmeter_sk_", "ep_", "org_"]),
    "events": Parser(events.check, events.SEEDS, events.TOKENS),
    "json": Parser(bodies.check_json, bodies.JSON_SEEDS, bodies.JSON_TOKENS),
    "headers": Parser(bodies.check_header, bodies.HEADER_SEEDS, ["charset=", "utf-8", "application/json"]),
    "queries": Parser(bodies.check_query, bodies.QUERY_SEEDS, bodies.QUERY_TOKENS),
    "telnyx": Parser(signatures.check_telnyx, signatures.SEEDS, signatures.TOKENS),
    "twilio": Parser(signatures.check_twilio, signatures.FORM_SEEDS, signatures.FORM_TOKENS),
    "ses": Parser(signatures.check_ses, signatures.SEEDS, signatures.TOKENS, slow=True),
    "certificates": Parser(provider_responses.check_certificate, provider_responses.CERTIFICATE_SEEDS),
    "prices": Parser(provider_responses.check_price, provider_responses.PRICE_SEEDS, signatures.TOKENS, slow=True),
    "dates": Parser(provider_responses.check_date, provider_responses.DATE_SEEDS, provider_responses.DATE_TOKENS),
}


def found(name):
    """Return the inputs that once found something, each in a file named for what it found."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
