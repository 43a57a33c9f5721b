"""`sendmeter demo`: an organization with realistic traffic, to look at."""

import os
import re
import shlex
import sys
from datetime import timedelta
from itertools import islice
from pathlib import Path

import click
from click.core import ParameterSource

from sendmeter.cli.options import database_option, whoever_runs_this
from sendmeter.cli.serve import host_option, port_option, run, workers_option
from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor, cycle_containing
from sendmeter.domain.events import BATCH_LIMIT
from sendmeter.domain.organizations import Organization
from sendmeter.errors import Unauthorized
from sendmeter.mock.traffic import traffic
from sendmeter.services import events, keys, organizations
from sendmeter.services.organizations import FIRST_KEY_SCOPES
from sendmeter.settings import Settings
from sendmeter.startup import open_store, utc_now
from sendmeter.store import Store

NAME = "Sendmeter demo"
DAYS_SHOWN = 15


@click.command()
@click.option(
    "--events", "count", type=click.IntRange(1, 1_000_000), default=30_000, show_default=True, help="How many events."
)
@click.option("--serve", "and_serve", is_flag=True, help="Then start the server.")
@host_option
@port_option
@workers_option
@database_option
def demo(count: int, and_serve: bool, host: str, port: int, workers: int, database: str | None) -> None:
    """Make a demo organization with traffic.

    Its running cycle is filled with realistic events. Run again it keeps what is there. The demo's API key lies beside
    the database: in sendmeter-demo.key for sendmeter.db.
    """
    settings = Settings.from_environment(database_url=database)
    store = open_store(settings)
    try:
        token = _ready(store, count)
    finally:
        store.close()

    def announce(url: str) -> None:
        click.echo(f"\nTry it:\n\n  curl -H 'Authorization: Bearer {token}' {url}/organization/usage\n")

    if and_serve:
        run(settings, host, port, workers, announce)
    else:
        announce(f"http://{host}:{port}")
        click.echo(f"Start the server with:\n\n  sendmeter serve{_options(host, port, database)}")


def _options(host: str, port: int, database: str | None) -> str:
    """Write those options of `serve` that are not its defaults; a password is not shown."""
    if click.get_current_context().get_parameter_source("database") is not ParameterSource.COMMANDLINE:
        database = None
    elif database is not None:
        database = re.sub(r"(//[^:/@]*:)[^@/]*@", r"\1***@", re.sub(r"(password=)[^&]*", r"\1***", database))
    options = {"--host": (host, "127.0.0.1"), "--port": (str(port), "8080"), "--database": (database, None)}
    given = [(name, value) for name, (value, default) in options.items() if value is not None and value != default]
    return "".join(f" {name} {shlex.quote(value)}" for name, value in given)


def _ready(store: Store, count: int) -> str:
    """Return the demo's key; make the demo first where it is not complete."""
    database = Path(store.path or "sendmeter")
    key_file = database.with_name(f"{database.stem}-demo.key")
    organization = next((each for each in organizations.everyone(store) if each.name == NAME), None)
    if organization is not None and (token := _kept_key(store, key_file, organization)):
        return token
    if organization is None:
        now = utc_now()
        anchor = Anchor((now - timedelta(days=DAYS_SHOWN)).day, "UTC")
        organization = organizations.create(store, NAME, anchor, Caps(), now, by=whoever_runs_this()).organization
    _fill(store, organization, count)
    made = keys.create(store, organization.number, "demo", FIRST_KEY_SCOPES, utc_now(), by=whoever_runs_this())
    # Written last: while it is missing, the demo is filled again, which counts nothing twice.
    with open(key_file, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(made.token + "\n")
    return made.token


def _kept_key(store: Store, key_file: Path, organization: Organization) -> str | None:
    """Read the demo's key of an earlier run; None where it is gone or does not work any more."""
    try:
        token = key_file.read_text().strip()
        key = keys.caller_of(store, token, utc_now())
    except (OSError, ValueError, Unauthorized):
        return None
    return token if key.organization_number == organization.number else None


def _fill(store: Store, organization: Organization, count: int) -> None:
    start = cycle_containing(organization.schedule.first, organization.created_at).start
    made = traffic(start, organization.created_at, count, source="demo")
    with click.progressbar(length=count, label=f"Recording {count:,} events", file=sys.stderr) as bar:
        while batch := [(event.event_id, event) for event in islice(made, BATCH_LIMIT)]:
            events.record(store, organization.number, batch, utc_now())
            bar.update(len(batch))
