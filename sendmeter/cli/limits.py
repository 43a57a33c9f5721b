"""`sendmeter limits`: an organization's caps, and how they stand."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import click

from sendmeter.cli.caps import (
    ENFORCEMENT_HELP,
    ChannelCapType,
    Limit,
    LimitType,
    MessagesType,
    by_channel,
)
from sendmeter.cli.options import (
    UsdType,
    database_option,
    json_option,
    opened,
    organization_option,
    print_json,
    whoever_runs_this,
)
from sendmeter.domain.caps import ENFORCEMENTS, Caps
from sendmeter.domain.instants import instant_text
from sendmeter.services import limits as services
from sendmeter.services import organizations
from sendmeter.services.limits import Limits
from sendmeter.startup import utc_now


@click.group()
def limits() -> None:
    """Show and set caps."""


@limits.command()
@organization_option
@database_option
@json_option
def show(organization: str, database: str | None, as_json: bool) -> None:
    """Show the caps, and how each stands in the running cycle.

    Of each cap: how much is used, how much is kept by holds (and, of the budget, estimated for costs that are still to
    come), and how much remains.
    """
    with opened(database) as store:
        found = services.get(store, organizations.get(store, organization).number, utc_now())
    _print(found, as_json)


@limits.command("set")
@organization_option
@click.option("--message-cap", type=LimitType(MessagesType), metavar="N|none", help="Messages in a cycle.")
@click.option("--budget-cap", type=LimitType(UsdType()), metavar="USD|none", help="USD in a cycle.")
@click.option(
    "--channel-cap",
    "channel_caps",
    type=ChannelCapType(removable=True),
    multiple=True,
    callback=by_channel,
    metavar="CHANNEL=N",
    help="How many of one channel in a cycle, like SMS=5000, or SMS=none; repeat it for several.",
)
@click.option("--enforcement", type=click.Choice(ENFORCEMENTS), help=ENFORCEMENT_HELP)
@database_option
@json_option
def set_limits(
    organization: str,
    message_cap: Limit | None,
    budget_cap: Limit | None,
    channel_caps: Mapping[str, int | None],
    enforcement: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Set caps; what is not named stays as it is, and "none" takes a cap away.

    The new caps count at once, in the running cycle too. Who set them is written to the audit log.
    """
    if not (message_cap or budget_cap or channel_caps or enforcement):
        raise click.UsageError("Name what to set: --message-cap, --budget-cap, --channel-cap or --enforcement.")

    def changed(caps: Caps) -> Caps:
        channels = {channel: cap for channel, cap in {**caps.channels, **channel_caps}.items() if cap is not None}
        return replace(
            caps,
            messages=message_cap.amount if message_cap else caps.messages,
            budget_nano_usd=budget_cap.amount if budget_cap else caps.budget_nano_usd,
            channels=channels,
            enforcement=enforcement or caps.enforcement,
        )

    with opened(database) as store:
        number = organizations.get(store, organization).number
        found = services.change(store, number, changed, utc_now(), by=whoever_runs_this())
    _print(found, as_json)


def _print(found: Limits, as_json: bool) -> None:
    value = found.to_json()
    if as_json:
        print_json(value)
        return
    click.echo(f"The running cycle: {instant_text(found.cycle.start)} to {instant_text(found.cycle.end)}.")
    click.echo(f"Enforcement: {found.caps.enforcement}.")
    if not found.standings:
        click.echo("There are no caps.")
        return
    has_returned = any("returned" in standing for standing in value["standings"])
    names = ("cap", "limit", "used", *(["returned"] if has_returned else []), "held", "remaining")
    rows = [names, *(tuple(_text(standing.get(name, 0)) for name in names) for standing in value["standings"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cap, *amounts in rows:
        click.echo("  ".join([cap.ljust(widths[0]), *map(str.rjust, amounts, widths[1:])]))


def _text(amount: str | int | Decimal) -> str:
    return f"{amount:f} USD" if isinstance(amount, Decimal) else str(amount)
