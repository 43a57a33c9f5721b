"""What can be set from outside. The only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a server, each with a safe default; `docs/guides/settings.md` tells of each."""

    database_url: str = "sqlite:///sendmeter.db"
    """Where the data is: `sqlite:///FILE`, a plain path of a file, or `postgresql://USER:PASSWORD@HOST/NAME`."""

    worker_threads: int = 8
    """How many requests a process works on at once; each has a database connection of its own."""

    max_waiting: int = 256
    """How many recording requests may be under way in a process before further ones are answered with 429."""

    busy_timeout_seconds: float = 5.0
    """How long to wait for another writer or a free connection before answering 503."""

    provider_grace_seconds: int = 3600
    """How long a provider may fail before sums that lack its costs are answered with 502."""

    log_level: str = "info"
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
                read[setting.name] = _number(name, text, setting.type) if setting.type in (int, float) else text
        read.update((name, value) for name, value in overrides.items() if value is not None)
        return replace(cls(), **read)

    def to_environment(self) -> dict[str, str]:
        """Write the settings as variables, for the processes of `serve --workers`."""
        return {variable(setting.name): str(getattr(self, setting.name)) for setting in fields(self)}


def variable(setting: str) -> str:
    """Name the environment variable of a setting."""
    return f"SENDMETER_{setting.upper()}"


def _number(name: str, text: str, kind: Any) -> int | float:  # noqa: ANN401 - int or float themselves
    try:
        number: int | float = kind(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, which is no number. Set it to a number, or unset it.") from None
    if not 0 <= number <= 1_000_000:
        raise ValueError(f"{name} is {text}, which is out of bounds. Set it to a number from 0 to 1,000,000.")
    return number
