"""`sendmeter organizations`: whom usage is counted for."""

from datetime import datetime
from difflib import get_close_matches
from typing import Any

import click

from sendmeter.cli.caps import caps_options, in_words
from sendmeter.cli.options import (
    InstantType,
    NameType,
    database_option,
    json_option,
    opened,
    print_json,
    whoever_runs_this,
)
from sendmeter.domain.caps import Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.instants import instant_text
from sendmeter.domain.organizations import Organization, is_time_zone, refused_start, time_zones
from sendmeter.services import organizations as services
from sendmeter.services.organizations import Change
from sendmeter.startup import utc_now

NAME_LIMIT = 200
ANCHOR_DAY_HELP = "The day of the month on which billing cycles start; the month's last day where the month is shorter."
TIMEZONE_HELP = "IANA time zone of that day."


class _TimeZoneType(click.ParamType[str]):
    """An IANA time zone that the zone data has."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401 - click's
        text = str(value)
        if not is_time_zone(text):
            near = get_close_matches(text, time_zones(), n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else " Write it like Europe/Berlin."
            self.fail(f"{text!r} is no IANA time zone.{hint}", param, ctx)
        return text


def _not_refused(ctx: click.Context, param: click.Parameter, starts_at: datetime | None) -> datetime | None:
    """Refuse a start before there is a database to ask: the service would refuse it too."""
    if starts_at is not None and (refused := refused_start(starts_at, utc_now())):
        raise click.BadParameter(f"{refused}.", ctx, param)
    return starts_at


@click.group()
def organizations() -> None:
    """Make, list, show and change organizations."""


@organizations.command()
@click.option("--name", required=True, type=NameType(NAME_LIMIT), metavar="TEXT", help="What people call it.")
@click.option("--anchor-day", type=click.IntRange(1, 31), default=1, show_default=True, help=ANCHOR_DAY_HELP)
@click.option("--timezone", type=_TimeZoneType(), default="UTC", show_default=True, metavar="ZONE", help=TIMEZONE_HELP)
@caps_options
@click.option(
    "--starts-at",
    type=InstantType(),
    callback=_not_refused,
    metavar="INSTANT",
    help="Nothing sent before it is counted.  [default: the start of the running cycle]",
)
@database_option
@json_option
def create(
    name: str,
    anchor_day: int,
    timezone: str,
    caps: Caps,
    starts_at: datetime | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make an organization, with an account and a first API key.

    The key has all scopes but operator. It is shown this once; only its hash is kept.
    """
    anchor = Anchor(anchor_day, timezone)
    with opened(database, may_be_new=True) as store:
        founded = services.create(store, name, anchor, caps, utc_now(), by=whoever_runs_this(), starts_at=starts_at)
    organization = founded.organization
    if as_json:
        print_json(_to_json(organization) | {"accountId": founded.account_id, "apiKey": founded.token})
        return
    click.echo(f"Made organization {organization.organization_id} ({organization.name}).")
    click.echo(f"It counts what was sent since {instant_text(organization.starts_at)}.")
    click.echo(f"\nIts first API key, shown this once:\n\n  {founded.token}\n")
    click.echo("Start the server with `sendmeter serve`, then ask with the header `Authorization: Bearer KEY`.")


@organizations.command("list")
@database_option
@json_option
def list_organizations(database: str | None, as_json: bool) -> None:
    """List all organizations, oldest first."""
    with opened(database, may_be_new=True) as store:
        found = services.everyone(store)
    if as_json:
        print_json([_to_json(organization) for organization in found])
        return
    for organization in found:
        anchor = organization.schedule.anchor_at(utc_now())
        click.echo(f"{organization.organization_id}  day {anchor.day:>2} {anchor.time_zone:<20}  {organization.name}")
    if not found:
        click.echo('There are none yet. Make one with "sendmeter organizations create --name NAME".', err=True)


@organizations.command()
@click.argument("organization", metavar="ORG")
@database_option
@json_option
def show(organization: str, database: str | None, as_json: bool) -> None:
    """Show the organization ORG: its anchor, the next one if it was changed, its caps."""
    with opened(database) as store:
        found = services.get(store, organization)
    _print(found, as_json)


@organizations.command()
@click.argument("organization", metavar="ORG")
@click.option("--name", type=NameType(NAME_LIMIT), metavar="TEXT", help="What people call it.")
@click.option("--anchor-day", type=click.IntRange(1, 31), help=ANCHOR_DAY_HELP)
@click.option("--timezone", type=_TimeZoneType(), metavar="ZONE", help=TIMEZONE_HELP)
@database_option
@json_option
def change(
    organization: str,
    name: str | None,
    anchor_day: int | None,
    timezone: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Change the organization ORG; what is not named stays as it is.

    Another anchor day or time zone counts from the end of the running billing cycle on, so that no cycle that was begun
    moves; "nextAnchor" tells when that is. Caps are changed with "sendmeter limits set".
    """
    wanted = Change(name=name, anchor_day=anchor_day, time_zone=timezone)
    if wanted == Change():
        raise click.UsageError("Name what to change: --name, --anchor-day or --timezone.")
    with opened(database) as store:
        changed = services.change(store, organization, wanted, utc_now(), by=whoever_runs_this())
    _print(changed, as_json)


def _print(organization: Organization, as_json: bool) -> None:
    if as_json:
        print_json(_to_json(organization))
        return
    now = utc_now()
    click.echo(f"{organization.organization_id}  {organization.name}")
    click.echo(f"Billing cycles start on {organization.schedule.anchor_at(now)}.")
    for starts_at, anchor in organization.schedule.after(now):
        click.echo(f"From {instant_text(starts_at)} on they start on {anchor}.")
    click.echo(f"It counts what was sent since {instant_text(organization.starts_at)}.")
    click.echo(f"{in_words(organization.caps)} Enforcement: {organization.caps.enforcement}.")


def _to_json(organization: Organization) -> dict[str, Any]:
    """Write an organization flat, with null for what there is not, so that a script need not ask what is there."""
    value = organization.to_json(utc_now())
    caps = {"messageCap": None, "budgetCap": None, "channelCaps": {}, **value.pop("limits")}
    return {**value, "nextAnchor": value.get("nextAnchor"), **caps}
