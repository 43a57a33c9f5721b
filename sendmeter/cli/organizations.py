"""`sendmeter organizations`: whom usage is counted for."""

import json
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

import click

from sendmeter.cli.options import InstantType, UsdType, database_option, json_option, opened, whoever_runs_this
from sendmeter.domain.caps import ENFORCEMENTS, Caps
from sendmeter.domain.cycles import Anchor
from sendmeter.domain.instants import instant_text
from sendmeter.domain.money import usd_text
from sendmeter.domain.organizations import Organization, is_time_zone
from sendmeter.services import organizations as services
from sendmeter.startup import utc_now

NAME_LIMIT = 200


@click.group()
def organizations() -> None:
    """Make and list organizations."""


@organizations.command()
@click.option("--name", required=True, metavar="TEXT", help="What people call it.")
@click.option(
    "--anchor-day",
    type=click.IntRange(1, 31),
    default=1,
    show_default=True,
    help="The day of the month on which billing cycles start; the month's last day where the month is shorter.",
)
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="IANA time zone of that day.")
@click.option("--message-cap", type=click.IntRange(0, 2**53 - 1), help="Messages in a cycle.  [default: no cap]")
@click.option("--budget-cap", type=UsdType(), metavar="USD", help="USD in a cycle.  [default: no cap]")
@click.option(
    "--enforcement",
    type=click.Choice(ENFORCEMENTS),
    default="block",
    show_default=True,
    help="What a cap does. observe: nothing. block: refuses holds past it. lock: once it is reached, reading usage "
    "answers 402 as well.",
)
@click.option(
    "--starts-at",
    type=InstantType(),
    metavar="INSTANT",
    help="Nothing sent before it is counted.  [default: the start of the running cycle]",
)
@database_option
@json_option
def create(
    name: str,
    anchor_day: int,
    timezone: str,
    message_cap: int | None,
    budget_cap: int | None,
    enforcement: str,
    starts_at: datetime | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make an organization, with an account and a first API key.

    The key has all scopes but operator. It is shown this once; only its hash is kept.
    """
    name = name.strip()
    if not 1 <= len(name) <= NAME_LIMIT or not name.isprintable():
        raise click.BadParameter(f"Write 1 to {NAME_LIMIT} printable characters.", param_hint="--name")
    if not is_time_zone(timezone):
        near = get_close_matches(timezone, available_timezones(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(near)}?" if near else " Write it like Europe/Berlin."
        raise click.BadParameter(f"{timezone!r} is no IANA time zone.{hint}", param_hint="--timezone")
    if starts_at is not None and starts_at > utc_now():
        raise click.BadParameter(f"{instant_text(starts_at)} is in the future.", param_hint="--starts-at")
    caps = Caps(messages=message_cap, budget_nano_usd=budget_cap, enforcement=enforcement)
    with opened(database) as store:
        founded = services.create(
            store, name, Anchor(anchor_day, timezone), caps, utc_now(), by=whoever_runs_this(), starts_at=starts_at
        )
    organization = founded.organization
    if as_json:
        made = _to_json(organization) | {"accountId": founded.account_id, "apiKey": founded.token}
        click.echo(json.dumps(made, ensure_ascii=False))
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
    with opened(database) as store:
        found = services.everyone(store)
    if as_json:
        click.echo(json.dumps([_to_json(organization) for organization in found], ensure_ascii=False))
        return
    for organization in found:
        anchor = organization.schedule.anchor_at(utc_now())
        click.echo(f"{organization.organization_id}  day {anchor.day:>2} {anchor.time_zone:<20}  {organization.name}")
    if not found:
        click.echo('There are none yet. Make one with "sendmeter organizations create --name NAME".', err=True)


def _to_json(organization: Organization) -> dict[str, Any]:
    caps = organization.caps
    return {
        "organizationId": organization.organization_id,
        "name": organization.name,
        "anchorDay": organization.schedule.anchor_at(utc_now()).day,
        "timezone": organization.schedule.anchor_at(utc_now()).time_zone,
        "startsAt": instant_text(organization.starts_at),
        "createdAt": instant_text(organization.created_at),
        "messageCap": caps.messages,
        "budgetCap": None if caps.budget_nano_usd is None else usd_text(caps.budget_nano_usd),
        "enforcement": caps.enforcement,
    }
