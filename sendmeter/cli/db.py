"""`sendmeter db`: the database itself."""

import sys
from contextlib import closing

import click

from sendmeter.cli.options import database_option, json_option, print_json
from sendmeter.services.copying import copy as copy_database
from sendmeter.services.health import advice_on
from sendmeter.settings import Settings
from sendmeter.startup import UnknownSchema, connect
from sendmeter.store.schema import state_of
from sendmeter.store.schema import upgrade as upgrade_schema


@click.group()
def db() -> None:
    """Upgrade and copy databases."""


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
        print_json({"applied": list(applied)})
    else:
        click.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


@db.command()
@click.argument("source_url", metavar="FROM")
@click.argument("target_url", metavar="TO")
@json_option
def copy(source_url: str, target_url: str, as_json: bool) -> None:
    """Copy all of the database FROM into the empty TO, verified.

    FROM and TO are each sqlite:///FILE, a file's path, or postgresql://USER:PASSWORD@HOST/NAME: so a database moves
    from SQLite to PostgreSQL, or back. FROM is copied as it is at one instant; to move, stop the servers first, since
    what they record meanwhile is not copied.

    TO is a new file, or a database that is empty. All is copied or nothing: before it counts, every row is read back
    from TO and compared, and every counter is added up again.
    """
    source = connect(Settings.from_environment(database_url=source_url))
    target = connect(Settings.from_environment(database_url=target_url))
    with closing(source), closing(target), click.progressbar(length=1, label="Copying", file=sys.stderr) as bar:

        def progress(done: int, steps: int) -> None:
            bar.length = steps
            bar.update(done - bar.pos)

        rows = copy_database(source, target, progress)
    if as_json:
        print_json({"rows": rows, "verified": True})
        return
    width = max(map(len, rows))
    for table, count in rows.items():
        click.echo(f"{table:<{width}}  {count:>13,}")
    click.echo("Copied and verified: TO has the same rows, and every counter is what its ledger adds up to.")
