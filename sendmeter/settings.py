"""What can be set from outside. The only reader of the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a server, each with a safe default; `docs/guides/operator.md` tells of each."""

    database_url: str = "sqlite:///sendmeter.db"
    """Where the data is: `sqlite:///FILE`, a plain path of a file, or `postgresql://USER:PASSWORD@HOST/NAME`."""

    worker_threads: int = field(default=8, metadata={"bounds": (1, 256)})
    """How many writing requests a process works on at once, and as many reading ones; each has a connection."""

    max_waiting: int = field(default=256, metadata={"bounds": (0, 100_000)})
    """How many writing requests may be under way in a process before further ones are answered with 429."""

    key_requests_per_second: float = field(default=0.0, metadata={"bounds": (0, 100_000)})
    """How many writing requests of one key a process answers in a second, before 429; 0 is no limit."""

    busy_timeout_seconds: float = field(default=5.0, metadata={"bounds": (0.01, 600)})
    """How long to wait for a turn, for another writer, or for the database, each, before answering 503."""

    request_timeout_seconds: float = field(default=30.0, metadata={"bounds": (0.1, 3600)})
    """How long a request may take to come to its end, and an answer to be taken, before the connection is closed."""

    max_connections: int = field(default=1_000, metadata={"bounds": (1, 100_000)})
    """How many connections a process keeps; for a further one the one is closed that waits longest for its client."""

    provider_grace_seconds: int = field(default=3600, metadata={"bounds": (0, 2_592_000)})
    """How long a provider may fail before sums that lack its costs are answered with 502."""

    public_url: str = field(
        default="http://127.0.0.1:8080",
        metadata={
            "pattern": r"https?://([a-z0-9.-]{1,255}|\[[0-9a-f:]{2,45}\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,500})?",
            "like": "a URL like https://usage.example.com",
        },
    )
    """Where providers reach this server, without a slash at its end. Twilio signs the URL that it was given."""

    secrets_key: str = field(
        default="",
        repr=False,
        metadata={
            "pattern": r"[A-Za-z0-9_-]{43}=(,[A-Za-z0-9_-]{43}=)*",
            "like": 'a key that "sendmeter providers new-key" made, or several by commas',
        },
    )
    """What secrets of providers are encrypted with: keys of Fernet, by commas; the first encrypts, each decrypts."""

    provider_poll_seconds: float = field(default=10.0, metadata={"bounds": (0, 86_400)})
    """How long to wait before looking again whether a price is to be asked for; 0 asks for none."""

    provider_requests_per_second: float = field(default=5.0, metadata={"bounds": (0.01, 1000)})
    """How many prices a provider is asked for in a second, at the most, for one organization."""

    provider_timeout_seconds: float = field(default=10.0, metadata={"bounds": (0.1, 300)})
    """How long to wait for a provider's whole answer."""

    test_provider_url: str = field(
        default="",
        metadata={
            "pattern": r"http://(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}",
            "like": "a server on this machine, like http://127.0.0.1:9999",
        },
    )
    """For tests alone: a server on this machine that is asked instead of the providers."""

    log_level: str = field(default="info", metadata={"choices": ("debug", "info", "warning", "error")})
    """What is logged: debug, info, warning, error. Every line carries the tracking id of its request."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> "Settings":  # noqa: ANN401 - of the fields' types
        """Read the settings from `SENDMETER_…` variables; `overrides` that are not None win.

        Raises ValueError, naming the variable, where a number is none or is out of bounds.
        """
        environment = os.environ if environment is None else environment
        read: dict[str, Any] = {}
        for setting in fields(cls):
            name = variable(setting.name)
            text = environment.get(name, "")
            if text:
                read[setting.name] = _value(name, text, setting)
        read.update((name, value) for name, value in overrides.items() if value is not None)
        return replace(cls(), **read)


def variable(setting: str) -> str:
    """Name the environment variable of a setting."""
    return f"SENDMETER_{setting.upper()}"


def _value(name: str, text: str, setting: Field[Any]) -> Any:  # noqa: ANN401 - of the field's type
    choices = setting.metadata.get("choices", (text,))
    if text not in choices:
        raise ValueError(f"{name} is {text!r}. Set it to one of {', '.join(choices)}.")
    if not re.fullmatch(setting.metadata.get("pattern", r"(?s:.*)"), text):
        # Not what it is: that may be secret.
        raise ValueError(f"{name} is not {setting.metadata['like']}.")
    if "bounds" not in setting.metadata:
        return text
    least, most = setting.metadata["bounds"]
    try:
        number = int(text) if setting.type is int else float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, which is no number. Set it to a number, or unset it.") from None
    if not least <= number <= most:
        raise ValueError(f"{name} is {text}, which is out of bounds. Set it to a number from {least:,} to {most:,}.")
    return number
