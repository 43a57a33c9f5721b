"""Values of JSON: which are the same, and how they are shown."""

import json
from typing import Any


def alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON
    """Return whether two values are the same to JSON, where 1 is 1.0 and not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)


def text(value: object) -> str:
    """Show a value, which may be long."""
    shown = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
