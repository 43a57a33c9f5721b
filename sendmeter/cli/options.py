"""Options that several commands have, and the values that they take."""

import getpass
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click

from sendmeter.domain.instants import read_instant
from sendmeter.domain.money import nano_usd
from sendmeter.domain.organizations import Organization
from sendmeter.services import organizations
from sendmeter.settings import Settings, variable
from sendmeter.startup import connect, open_store
from sendmeter.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

database_option = click.option(
    "--database",
    metavar="URL",
    envvar=variable("database_url"),
    show_envvar=True,
    help="sqlite:///FILE, a file's path, or postgresql://USER:PASSWORD@HOST/NAME.  [default: sqlite:///sendmeter.db]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
organization_option = click.option(
    "--organization", metavar="ORG", required=True, help='The organization\'s id (see "sendmeter organizations list").'
)


@contextmanager
def opened(database: str | None, *, may_be_new: bool = False) -> Iterator[Store]:
    """Open the database for one command; a file that is not there is a mistake, unless it `may_be_new`."""
    settings = Settings.from_environment(database_url=database)
    path = connect(settings).path
    if path is not None and not may_be_new and not Path(path).exists():
        raise click.ClickException(
            f'There is no database {path}. Name it with --database, or make it with "sendmeter organizations create".'
        )
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def whoever_runs_this() -> str:
    """Name who runs the command, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # nobody's user id, as some containers have
        name = str(os.getuid())
    # It may come from a variable, and is shown in terminals.
    return f"cli:{re.sub(r'[^A-Za-z0-9._@-]', '_', name)[:64]}"


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON
    """Print what scripts read; an amount of USD is a text, so that no float changes it."""
    click.echo(json.dumps(value, ensure_ascii=False, default=_amount_text))


def _amount_text(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value)} is not of JSON")
    return f"{value:f}"


def organization_of(store: Store, organization_id: str | None) -> Organization | None:
    """Find the organization that an option names; None where it names none."""
    return None if organization_id is None else organizations.get(store, organization_id)


class NameType(click.ParamType[str]):
    """A name that people read, of up to so many printable characters."""

    name = "text"

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's
        """Read the name, without the space around it."""
        text = str(value).strip()
        if not 1 <= len(text) <= self.limit or not text.isprintable():
            self.fail(f"Write 1 to {self.limit} printable characters.", param, ctx)
        return text


class InstantType(click.ParamType[datetime]):
    """An instant: RFC 3339, a date (its first instant in UTC), or, where `ahead`, a time from now like 90d or 12h."""

    name = "instant"

    def __init__(self, *, ahead: bool = False) -> None:
        self.ahead = ahead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:  # noqa: ANN401 - click's
        """Read the instant."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        ahead = re.fullmatch(r"(\d{1,4})([dh])", text)
        if self.ahead and ahead:
            count = int(ahead[1])
            return datetime.now(UTC) + (timedelta(days=count) if ahead[2] == "d" else timedelta(hours=count))
        try:
            return read_instant(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else text)
        except ValueError as error:
            like = "2026-12-31, 2026-12-31T12:00:00Z" + (" or 90d" if self.ahead else "")
            self.fail(f"{text!r} {error}. Write it like {like}.", param, ctx)


class UsdType(click.ParamType[int]):
    """An amount of USD, exactly, as nano-USD."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ANN401 - click's
        """Read the amount."""
        try:
            amount = nano_usd(str(value))
        except ValueError:
            amount = -1
        if not 0 <= amount <= 9_000_000_000 * 10**9:
            self.fail(f"{value!r} is not an amount of USD like 250 or 99.95.", param, ctx)
        return amount
