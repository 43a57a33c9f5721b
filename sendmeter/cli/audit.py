"""`sendmeter audit`: who changed what."""

import json

import click

from sendmeter.cli.options import database_option, json_option, opened, organization_option, print_json
from sendmeter.domain.instants import instant_text
from sendmeter.services import audit as services
from sendmeter.services import organizations


@click.command()
@organization_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many entries.")
@database_option
@json_option
def audit(organization: str, limit: int, database: str | None, as_json: bool) -> None:
    """Show who changed an organization, newest first.

    The audit log has each change of its name, anchor and caps, each key made and revoked, and each backfill: when, by
    whom (the id of an API key, or "cli:" and the name of who ran the command), and what.
    """
    with opened(database) as store:
        found = services.newest(store, organizations.get(store, organization).number, limit)
    if as_json:
        print_json([entry.to_json() for entry in found])
        return
    for entry in found:
        details = json.dumps(entry.details, ensure_ascii=False)
        click.echo(f"{instant_text(entry.recorded_at)}  {entry.by}  {entry.action}  {details}")
    if not found:
        click.echo("Nothing was changed yet.", err=True)
