"""`sendmeter keys`: who may ask."""

from datetime import datetime
from typing import Any

import click

from sendmeter.cli.options import (
    InstantType,
    NameType,
    database_option,
    json_option,
    opened,
    organization_of,
    organization_option,
    print_json,
    whoever_runs_this,
)
from sendmeter.domain.instants import instant_text
from sendmeter.domain.keys import SCOPES, Key
from sendmeter.services import keys as services
from sendmeter.services import organizations
from sendmeter.startup import utc_now

NAME_LIMIT = 100
optional_organization_option = click.option(
    "--organization", metavar="ORG", help="Only this organization's.  [default: all]"
)


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@organization_option
@click.option("--name", required=True, type=NameType(NAME_LIMIT), metavar="TEXT", help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    help="What the key may do; repeat it for several. Any key may read usage.",
)
@click.option(
    "--expires", type=InstantType(ahead=True), metavar="WHEN", help="2027-01-31, an instant, or 90d.  [default: never]"
)
@database_option
@json_option
def create(
    organization: str,
    name: str,
    scopes: tuple[str, ...],
    expires: datetime | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make an API key. It is shown this once; only its hash is kept.

    A first operator key is made here only, with --scope operator: it may make, list and change all organizations over
    HTTP. Give it to whoever runs Sendmeter, of an organization of yours.
    """
    now = utc_now()
    if expires is not None and expires <= now:
        raise click.BadParameter(f"{instant_text(expires)} is past.", param_hint="--expires")
    with opened(database) as store:
        number = organizations.get(store, organization).number
        made = services.create(store, number, name, scopes, now, by=whoever_runs_this(), expires_at=expires)
    if as_json:
        print_json(_to_json(made.key) | {"apiKey": made.token})
        return
    click.echo(f"Made key {made.key.key_id} ({name}), shown this once:\n\n  {made.token}\n")
    click.echo(f"It may read usage{''.join(f', {scope}' for scope in made.key.scopes)}.")


@keys.command("list")
@optional_organization_option
@database_option
@json_option
def list_keys(organization: str | None, database: str | None, as_json: bool) -> None:
    """List keys, oldest first. The keys themselves are not kept and cannot be shown."""
    with opened(database) as store:
        owner = organization_of(store, organization)
        found = services.everyone(store, owner.number if owner else None)
    if as_json:
        print_json([_to_json(key) for key in found])
        return
    now = utc_now()
    for key in found:
        state = "revoked" if key.revoked_at else "expired" if key.refused(now) else "works"
        click.echo(f"{key.key_id}  {state:<7}  {key.name}  ({' '.join(key.scopes) or 'reading usage'})")
    if not found:
        click.echo('There are none. Make one with "sendmeter keys create".', err=True)


@keys.command()
@click.argument("key_id")
@optional_organization_option
@database_option
@json_option
def revoke(key_id: str, organization: str | None, database: str | None, as_json: bool) -> None:
    """Make the key KEY_ID stop working, at once."""
    with opened(database) as store:
        owner = organization_of(store, organization)
        key = services.revoke(
            store, key_id, utc_now(), by=whoever_runs_this(), organization_number=owner.number if owner else None
        )
    if as_json:
        print_json(_to_json(key))
        return
    click.echo(f"Revoked key {key.key_id} ({key.name}).")


def _to_json(key: Key) -> dict[str, Any]:
    """Write a key with null for the times that there are not, so that a script need not ask what is there."""
    return {"expiresAt": None, "revokedAt": None, **key.to_json()}
