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
from sendmeter.contract.reading import read
from sendmeter.contract.rules import OURS, Violation, violations
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
