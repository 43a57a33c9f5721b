"""`sendmeter`, its commands, and what they have in common: the database, `--json`, and how they fail."""

import logging

import click

from sendmeter import __version__
from sendmeter.cli.audit import audit
from sendmeter.cli.contract import contract
from sendmeter.cli.db import db
from sendmeter.cli.demo import demo
from sendmeter.cli.importing import import_events
from sendmeter.cli.keys import keys
from sendmeter.cli.limits import limits
from sendmeter.cli.mock import mock
from sendmeter.cli.organizations import organizations
from sendmeter.cli.providers import providers
from sendmeter.cli.serve import serve
from sendmeter.cli.verify import verify
from sendmeter.errors import Refusal, Unavailable
from sendmeter.startup import UnknownSchema


class _Commands(click.Group):
    """Tells a refusal as an error message, with what to do about it, and exits 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            told = [refusal.message, *(f"  {fault.pointer}: {fault.message}" for fault in refusal.faults)]
            if isinstance(refusal, Unavailable) and refusal.__cause__ is not None:
                told.append(str(refusal.__cause__).strip().partition("\n")[0])
            if refusal.fix and refusal.fix != type(refusal).fix:
                told.append(refusal.fix)
            raise click.ClickException("\n".join(told)) from refusal
        except (UnknownSchema, ValueError) as error:
            raise click.ClickException(str(error)) from error


HELP = """Sendmeter: the usage meter of a notification platform.

Senders report what they sent; Sendmeter answers, for each organization and billing cycle, how many messages went out
and what SMS and calls cost.

\b
To try it:      sendmeter demo --serve
For a frontend: sendmeter mock
For real:       sendmeter organizations create --name "My company"
                sendmeter serve

The data is in ./sendmeter.db unless --database or SENDMETER_DATABASE_URL names another place.
"""


@click.group(cls=_Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sendmeter")
def main() -> None:
    """Run the command that the arguments name."""
    # A command tells its failure itself; what is logged on the way, such as attempts, is for servers.
    logging.getLogger("sendmeter").addHandler(logging.NullHandler())


main.add_command(serve)
main.add_command(demo)
main.add_command(mock)
main.add_command(organizations)
main.add_command(limits)
main.add_command(keys)
main.add_command(providers)
main.add_command(import_events)
main.add_command(verify)
main.add_command(audit)
main.add_command(db)
main.add_command(contract)
