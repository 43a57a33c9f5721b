"""`sendmeter backup`: the database in a file of its own, while it is used."""

import sys
from contextlib import closing
from pathlib import Path

import click

from sendmeter.cli.options import database_option, json_option, print_json
from sendmeter.services.backup import Backup, back_up
from sendmeter.settings import Settings
from sendmeter.startup import connect


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@database_option
@json_option
def backup(file: Path, database: str | None, as_json: bool) -> None:
    """Back a SQLite database up to the new FILE, while it is used, verified.

    FILE is the database as it is at one instant, with everything that was acknowledged before. Every page is looked
    through, and every counter added up again; then FILE gets its name, complete and on disk. To restore, stop the
    server, and start it on a copy of FILE: cp FILE restored.db, sendmeter serve --database restored.db.

    Exits 1 where the database has counters that are not what their ledger adds up to, as "sendmeter verify" does; FILE
    is kept. PostgreSQL has pg_dump for this.
    """
    with (
        closing(connect(Settings.from_environment(database_url=database))) as store,
        click.progressbar(length=1, label="Copying", file=sys.stderr) as bar,
    ):

        def progress(done: int, pages: int) -> None:
            bar.length = pages
            bar.update(done - bar.pos)

        made = back_up(store, file, progress)
    if as_json:
        told = {"file": str(file), "bytes": made.size_bytes, "organizations": made.organizations}
        print_json({**told, "verified": made.is_verified and not made.differences, "differences": made.differences})
    else:
        click.echo(f"{file}: {made.size_bytes:,} bytes. {_said_of(made)}")
    if made.differences:
        sys.exit(1)


def _said_of(made: Backup) -> str:
    if not made.is_verified:
        return "It is of another version, so its counters were not added up; its pages are sound."
    if made.differences:
        return f'Counters of {", ".join(made.differences)} are wrong, in the database, too: see "sendmeter verify".'
    return "Every counter is what its ledger adds up to."
