"""`sendmeter contract`: is a contract sound, and does a change of it break a client."""

import inspect
import pkgutil
import sys
from dataclasses import asdict
from importlib import import_module
from itertools import groupby
from pathlib import Path

import click

from sendmeter.cli.options import json_option, print_json
from sendmeter.contract import find, handlers_package
from sendmeter.contract.changes import Change, changes
from sendmeter.contract.reading import Document, Unreadable, parse, read
from sendmeter.contract.rules import OURS, Violation, unsound, violations
from sendmeter.contract.walking import operations


@click.group()
def contract() -> None:
    """Check a contract, and what a change of it breaks."""


@contract.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
def lint(file: Path | None, as_json: bool) -> None:
    """Check the contract in FILE, or else that of this installation.

    It is valid OpenAPI 3.0, and keeps the rules that make a contract whole: errors for each operation, bounds for each
    value, valid examples, links that lead somewhere. Exits 1 naming each place that breaks one, 0 where none does.

    Of this installation's contract each operation must have its function, too; a FILE may be ahead of the code.
    """
    path = file or find()
    document = read(path)
    found = violations(document, _functions() if file is None else None)
    if as_json:
        print_json({"file": str(path), "violations": [asdict(violation) for violation in found]})
    elif found:
        _print_violations(path, found)
    else:
        count = len(list(operations(document)))
        click.echo(f"{path} is OpenAPI {document['openapi']} and keeps our {len(OURS)} rules, in {count} operations.")
    if found:
        sys.exit(1)


@contract.command()
@click.argument("old", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("new", type=click.Path(path_type=Path, allow_dash=True))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    r"""List what changed from the contract OLD to NEW, and what of it breaks clients.

    OLD and NEW are files; one of them may be - for standard input:

    \b
    git show main:openapi.yaml | sendmeter contract diff - openapi.yaml

    A client breaks where it is refused what it sent before, or answered what it was never told of. Exits 1 where
    something breaks one, 0 where nothing does, and 2 where OLD or NEW cannot be read.
    """
    if str(old) == str(new) == "-":
        raise click.UsageError("Standard input can be OLD or NEW, not both.")
    found = changes(_sound(old), _sound(new))
    if as_json:
        print_json([asdict(change) for change in found])
    else:
        _print_changes(found)
    if any(change.breaks for change in found):
        sys.exit(1)


class _NotCompared(click.ClickException):
    exit_code = 2


def _sound(path: Path) -> Document:
    """Read a contract that can be compared; else it exits 2, since to break a client is something else."""
    name = "Standard input" if str(path) == "-" else str(path)
    try:
        document = parse(sys.stdin.buffer.read(), name) if str(path) == "-" else read(path)
    except Unreadable as error:
        raise _NotCompared(str(error)) from error
    if found := unsound(document):
        raise _NotCompared(
            f"{name} is no sound contract: {found[0].where}: {found[0].what}. "
            '"sendmeter contract lint" tells all that is wrong with it.'
        )
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
        if inspect.isfunction(value) and value.__module__.endswith(f".{module.name}") and not name.startswith("_")
    }


def _print_violations(path: Path, found: list[Violation]) -> None:
    count = len({violation.rule for violation in found})
    click.echo(f"{path} breaks {count} rule{'' if count == 1 else 's'}:")
    for rule, broken in groupby(found, key=lambda violation: violation.rule):
        click.echo(f"\n{rule}")
        for violation in broken:
            click.echo(f"  {violation.where}: {violation.what}")
