"""`sendmeter contract`: is a contract sound, and does a change of it break a client."""

import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import IO, Any

import click

from sendmeter.cli.options import json_option, print_json
from sendmeter.contract import find, handlers_package
from sendmeter.contract.reading import Document, Unreadable, parse, read
from sendmeter.contract.walking import operations
from sendmeter.gate.changes import Change, changes
from sendmeter.gate.rules import OURS, Violation, unsound, violations


@click.group()
def contract() -> None:
    """Check a contract, and what a change of it breaks."""


@contract.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@json_option
def lint(file: Path | None, as_json: bool) -> None:
    """Check the contract in FILE, or else that of this installation; - is standard input.

    It is valid OpenAPI 3.0, and keeps the rules that make a contract whole: errors for each operation, bounds for each
    value, valid examples, links that lead somewhere. Exits 1 naming each place that breaks one, 0 where none does, and
    2 where FILE cannot be read.

    Of this installation's contract each operation must have its function, too; a FILE may be ahead of the code.
    """
    path = file or find()
    with _judging(path, as_json=as_json):
        document = _read(path)
        found = violations(document, _functions() if file is None else None)
    if as_json:
        print_json({"file": str(path), "violations": [asdict(violation) for violation in found]})
    elif found:
        _print_violations(_named(path), found)
    else:
        count = len(list(operations(document)))
        said = f"is OpenAPI {document['openapi']} and keeps our {len(OURS)} rules, in {count} operations."
        click.echo(f"{_named(path)} {said}")
    if found:
        sys.exit(1)


# Not a docstring: click's mark for a block that stays as it is would be read as a backspace.
HELP = """List what changed from the contract OLD to NEW, and what of it breaks clients.

OLD and NEW are files; one of them may be - for standard input:

\b
git show main:openapi.yaml | sendmeter contract diff - openapi.yaml

A client breaks where it is refused what it sent before, or answered what it was never told of. Exits 1 where something
breaks one, 0 where nothing does, and 2 where OLD or NEW cannot be read.
"""


@contract.command(help=HELP)
@click.argument("old", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("new", type=click.Path(path_type=Path, allow_dash=True))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """List what changed between two contracts."""
    if str(old) == str(new) == "-":
        raise click.UsageError("Standard input can be OLD or NEW, not both.")
    documents = [_sound(path, as_json=as_json) for path in (old, new)]
    with _judging(new, as_json=as_json):
        found = changes(*documents)
    if as_json:
        print_json([asdict(change) for change in found])
    else:
        _print_changes(found)
    if any(change.breaks for change in found):
        sys.exit(1)


class _NotJudged(click.ClickException):
    """It exits 2: to break a rule, or a client, is something else."""

    exit_code = 2

    def __init__(self, message: str, *, as_json: bool) -> None:
        super().__init__(message)
        self._as_json = as_json

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it, as JSON where that was asked for."""
        if self._as_json:
            print_json({"error": self.message})
        else:
            super().show(file)


@contextmanager
def _judging(path: Path, *, as_json: bool) -> Iterator[None]:
    """Return what cannot be judged in one sentence, whatever the reason."""
    try:
        yield
    except Unreadable as error:
        raise _NotJudged(str(error), as_json=as_json) from error
    except RecursionError as error:
        what = f"{_named(path)} cannot be judged: its schemas go too deep. Write them flatter."
        raise _NotJudged(what, as_json=as_json) from error
    except Exception as error:
        what = f"{_named(path)} cannot be judged: {error!r}. This is a fault of Sendmeter's: report it with the file."
        raise _NotJudged(what, as_json=as_json) from error


def _named(path: Path) -> str:
    return "Standard input" if str(path) == "-" else str(path)


def _read(path: Path) -> Document:
    return parse(sys.stdin.buffer.read(), _named(path)) if str(path) == "-" else read(path)


def _sound(path: Path, *, as_json: bool) -> Document:
    """Read a contract that can be compared."""
    with _judging(path, as_json=as_json):
        document = _read(path)
        found = unsound(document)
    if found:
        what = f"{_named(path)} is no sound contract: {found[0].where}: {found[0].what}."
        raise _NotJudged(f'{what} "sendmeter contract lint" tells all that is wrong with it.', as_json=as_json)
    return document


def _print_changes(found: list[Change]) -> None:
    for title, breaks in (("Breaks clients", True), ("Compatible", False)):
        if listed := [change for change in found if change.breaks is breaks]:
            click.echo(f"{title} ({len(listed)}):")
            for change in listed:
                among = f"  [{', '.join(change.operations)}]" if change.operations else ""
                click.echo(f"  {change.where}: {change.what}{among}")
    if not found:
        click.echo("Nothing changed for clients.")


def _functions() -> set[str]:
    """Name the functions that answer operations: `events.record` is `record` in `handlers/events.py`."""
    package = import_module(handlers_package())
    return {
        f"{module.name}.{name}"
        for module in pkgutil.iter_modules(package.__path__)
        for name, value in vars(import_module(f"{package.__name__}.{module.name}")).items()
        if inspect.isfunction(value) and not name.startswith("_")
        # Its own, and not one that it has from elsewhere.
        if value.__module__ == f"{package.__name__}.{module.name}"
    }


def _print_violations(name: str, found: list[Violation]) -> None:
    count = len({violation.rule for violation in found})
    click.echo(f"{name} breaks {count} rule{'' if count == 1 else 's'}:")
    for rule, broken in groupby(found, key=lambda violation: violation.rule):
        click.echo(f"\n{rule}")
        for violation in broken:
            click.echo(f"  {violation.where}: {violation.what}")
