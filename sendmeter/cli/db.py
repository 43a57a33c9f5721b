"""`sendmeter db`: the database itself."""

import json

import click

from sendmeter.cli.options import database_option, json_option
from sendmeter.services.health import advice_on
from sendmeter.settings import Settings
from sendmeter.startup import UnknownSchema, connect
from sendmeter.store.schema import state_of
from sendmeter.store.schema import upgrade as upgrade_schema


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
@database_option
@json_option
def upgrade(database: str | None, as_json: bool) -> None:
    """Bring a database of an older version up to this one, all steps or none.

    Stop the servers and make a backup first. An empty database needs no upgrade: every command lays its tables.
    """
    store = connect(Settings.from_environment(database_url=database))
    try:
        state = state_of(store)
        if state.unknown:
            raise UnknownSchema(advice_on(state))
        applied = upgrade_schema(store)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps({"applied": list(applied)}))
    else:
        click.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")
