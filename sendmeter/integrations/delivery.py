"""A delivery: what came in at a receiver's URL, as it came."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request that claims to be a provider's.

    `url` is the public one that the provider was given, without a query. `headers` have names in lower case; one that
    is given twice is not there. `media_type` is the body's, without parameters. `body_sha256` is the query parameter
    `bodySHA256`, which Twilio adds for bodies that are no forms.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    media_type: str
    body: bytes = field(repr=False)
    body_sha256: str | None = None
