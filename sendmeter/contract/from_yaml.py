"""The YAML that is also JSON, by YAML 1.2's core schema: `no` and dates are texts, and 1e-9 is a number.

PyYAML tells what stands in a file; by itself it makes YAML 1.1 of it, and goes into any depth until the process dies.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

# Many times faster, where PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SIZE = 1_000_000


def from_yaml(text: str, depth: int) -> Any:  # noqa: ANN401 - any JSON
    """Read a document of so many levels at the most, or None.

    Raises yaml.YAMLError, RecursionError where there are more levels, and ValueError for a number that is too long.
    """
    reader = _Reader()
    for event in yaml.parse(text, Loader=_LOADER):
        reader.take(event)
        if len(reader.open) > depth:
            raise RecursionError
    return next(iter(reader.open[0].value), None)


@dataclass
class _Open:
    """A list or an object that is being read, its size with all aliases written out, and the name that comes next."""

    value: Any
    anchor: str | None = None
    size: int = 1
    name: str | None = None

    def add(self, value: Any, size: int) -> None:  # noqa: ANN401 - any JSON
        """Take a value of a size."""
        self.size += size
        if isinstance(self.value, list):
            self.value.append(value)
        else:
            self.value[self.name] = value
            self.name = None

    def wants_a_name(self, event: yaml.Event) -> bool:
        """Return whether what comes next names a member."""
        return isinstance(self.value, dict) and self.name is None and not isinstance(event, yaml.MappingEndEvent)


class _Reader:
    """What is open, from the outside in: the file is a list of documents, of none or one."""

    def __init__(self) -> None:
        self.open = [_Open([])]
        self._anchors: dict[str, tuple[Any, int]] = {}

    def take(self, event: yaml.Event) -> None:
        """Take what comes next."""
        top = self.open[-1]
        if top.wants_a_name(event):
            top.name = _name(event, top.value)
        elif isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), 1, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self.open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()
            self._add(top.value, top.size, top.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _wrong(f"*{event.anchor} is not there, or is within itself", event)
            self._add(*self._anchors[event.anchor], None)
        elif isinstance(event, yaml.DocumentStartEvent) and top.value:
            raise _wrong("another document begins", event)
        if self.open[-1].size > _SIZE:
            raise _wrong(f"with its aliases written out it has more than {_SIZE:,} values", event)

    def _add(self, value: Any, size: int, anchor: str | None) -> None:  # noqa: ANN401 - any JSON
        self.open[-1].add(value, size)
        if anchor:
            self._anchors[anchor] = value, size


def _name(event: yaml.Event, known: dict[str, Any]) -> str:
    """Read a name. It is a text, even where it looks like a number, as statuses do, and stands once."""
    if not isinstance(event, yaml.ScalarEvent):
        raise _wrong("a name is not a text", event)
    if event.value in known:
        raise _wrong(f"{event.value!r} is there twice", event)
    return str(event.value)


def _wrong(what: str, event: yaml.Event) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=event.start_mark)  # type: ignore[arg-type]  # either mark


def _scalar(event: yaml.ScalarEvent) -> Any:  # noqa: ANN401 - any JSON
    if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
        raise _wrong(f"the tag {event.tag} is not of JSON", event)
    if event.tag is None and event.implicit[0]:
        for pattern, read_as in _CORE.items():
            if re.fullmatch(pattern, event.value):
                return read_as(event.value)
    return event.value


# https://yaml.org/spec/1.2.2/#103-core-schema, but for `True`, which is a name somewhere more often than a boolean.
_CORE: dict[str, Callable[[str], Any]] = {
    "|~|null|Null|NULL": lambda _: None,
    "true": lambda _: True,
    "false": lambda _: False,
    "[-+]?[0-9]+": int,
    "0o[0-7]+|0x[0-9a-fA-F]+": lambda text: int(text, base=0),
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?": float,
    r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)": lambda text: float(text.replace(".", "")),
}
