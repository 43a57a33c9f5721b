"""`sendmeter`, its commands, and what they have in common: the database, `--json`, and how they fail."""

import logging
from importlib import import_module

import click

from sendmeter import __version__
from sendmeter.errors import DatabaseUnavailable, Refusal, Unavailable
from sendmeter.startup import UnknownSchema

# Where each command is. It is imported when it is run: no command should wait for what another one needs.
_COMMANDS = {
    "serve": "serve:serve",
    "demo": "demo:demo",
    "mock": "mock:mock",
    "organizations": "organizations:organizations",
    "limits": "limits:limits",
    "keys": "keys:keys",
    "providers": "providers:providers",
    "import": "importing:import_events",
    "verify": "verify:verify",
    "audit": "audit:audit",
    "backup": "backup:backup",
    "db": "db:db",
    "contract": "contract:contract",
}


class _WithoutDatabase(click.ClickException):
    """Exits 3, so that a script tells a database that does not answer from what a command found or refused."""

    exit_code = 3


class _Commands(click.Group):
    """Finds commands, and prints a refusal as an error message, with what to do about it; exits 1, or 3."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"sendmeter.cli.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            told = [refusal.message, *(f"  {fault.pointer}: {fault.message}" for fault in refusal.faults)]
            if isinstance(refusal, Unavailable) and refusal.__cause__ is not None:
                told.append(str(refusal.__cause__).strip().partition("\n")[0])
            # What the class says in general is for whoever sends requests.
            if fix := refusal.fix.removeprefix(type(refusal).fix).strip():
                told.append(fix)
            failure = _WithoutDatabase if isinstance(refusal, DatabaseUnavailable) else click.ClickException
            raise failure("\n".join(told)) from refusal
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

\b
Exit codes:
  0  done
  1  refused, or something was found: bad lines, counters that differ, a breaking change
  2  the command line is wrong, or a contract cannot be read
  3  the database does not answer, or cannot be read or written
"""


@click.group(cls=_Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sendmeter")
def main() -> None:
    """Run the command that the arguments name."""
    # A command tells its failure itself; what is logged on the way, such as attempts, is for servers.
    logging.getLogger("sendmeter").addHandler(logging.NullHandler())
