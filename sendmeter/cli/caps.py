"""Options of what an organization may use: its caps, and what they do."""

from collections.abc import Sequence
from functools import wraps
from typing import Any, NamedTuple

import click

from sendmeter.cli.options import Command, UsdType
from sendmeter.domain.caps import ENFORCEMENTS, Caps
from sendmeter.domain.channels import CHANNELS
from sendmeter.domain.money import usd_text

MessagesType = click.IntRange(0, 2**53 - 1)
ENFORCEMENT_HELP = (
    "What a cap does. observe: nothing. block: refuses holds past it. lock: once it is reached, reading usage answers "
    "402 as well."
)


class Limit(NamedTuple):
    """What a cap is to be; None takes it away."""

    amount: int | None


class LimitType(click.ParamType[Limit]):
    """What another type reads, or `none`."""

    name = "limit"

    def __init__(self, amounts: click.ParamType[int]) -> None:
        self.amounts = amounts

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Limit:  # noqa: ANN401 - click's
        """Read the limit."""
        if isinstance(value, Limit):
            return value
        return Limit(None if value == "none" else self.amounts.convert(value, param, ctx))


class ChannelCapType(click.ParamType[tuple[str, Limit]]):
    """The cap on one channel, as CHANNEL=N; where `removable`, CHANNEL=none too."""

    name = "channel cap"

    def __init__(self, *, removable: bool = False) -> None:
        self.removable = removable

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Limit]:  # noqa: ANN401 - click's
        """Read the channel and its cap."""
        if isinstance(value, tuple):
            return value
        channel, _, text = str(value).partition("=")
        if channel not in CHANNELS:
            self.fail(f"{channel!r} is not one of {', '.join(CHANNELS)}. Write it like SMS=5000.", param, ctx)
        if text == "none" and self.removable:
            return channel, Limit(None)
        try:
            return channel, Limit(MessagesType(text, param, ctx))
        except click.BadParameter:
            form = f"{channel}=5000" + (f" or {channel}=none" if self.removable else "")
            self.fail(f"{text!r} is not a number from 0 on. Write it like {form}.", param, ctx)


def by_channel(ctx: click.Context, param: click.Parameter, given: Sequence[tuple[str, Limit]]) -> dict[str, int | None]:
    """Collect the caps on channels; of one channel there is one."""
    caps = {channel: limit.amount for channel, limit in given}
    if len(caps) < len(given):
        raise click.BadParameter("Name each channel once.", ctx, param)
    return caps


_OPTIONS = (
    click.option("--message-cap", type=MessagesType, help="Messages in a cycle.  [default: no cap]"),
    click.option("--budget-cap", type=UsdType(), metavar="USD", help="USD in a cycle.  [default: no cap]"),
    click.option(
        "--channel-cap",
        "channel_caps",
        type=ChannelCapType(),
        multiple=True,
        callback=by_channel,
        metavar="CHANNEL=N",
        help="How many of one channel in a cycle, like SMS=5000; repeat it for several.  [default: no cap]",
    ),
    click.option(
        "--enforcement", type=click.Choice(ENFORCEMENTS), default="block", show_default=True, help=ENFORCEMENT_HELP
    ),
)


def caps_options(command: Command) -> Command:
    """Add the options of all caps to a command, put together as its argument `caps`."""

    @wraps(command)
    def with_caps(
        *,
        message_cap: int | None,
        budget_cap: int | None,
        channel_caps: dict[str, int],
        enforcement: str,
        **others: Any,  # noqa: ANN401 - the command's other options
    ) -> object:
        return command(caps=Caps(message_cap, budget_cap, channel_caps, enforcement), **others)

    for option in reversed(_OPTIONS):
        option(with_caps)
    return with_caps  # type: ignore[return-value]  # click calls it in the command's place


def in_words(caps: Caps) -> str:
    """Return the caps as a sentence."""
    budget = None if caps.budget_nano_usd is None else usd_text(caps.budget_nano_usd)
    amounts = {"messages": caps.messages, "USD": budget, **caps.channels}
    told = ", ".join(f"{amount} {what}" for what, amount in amounts.items() if amount is not None)
    return f"Caps in a cycle: {told}." if told else "It has no caps."
