"""`sendmeter providers`: who tells what messages cost, and how they fare."""

import sys
from typing import TYPE_CHECKING, Any

import click

from sendmeter.cli.options import (
    database_option,
    json_option,
    opened,
    organization_of,
    organization_option,
    print_json,
    whoever_runs_this,
)
from sendmeter.contract import contract
from sendmeter.domain.instants import instant_text
from sendmeter.domain.providers import PROVIDERS, endpoint_url
from sendmeter.errors import InvalidRequest
from sendmeter.services import organizations as owners
from sendmeter.settings import Settings
from sendmeter.startup import utc_now

if TYPE_CHECKING:
    from sendmeter.services.providers import Status

_AT_TELNYX = "In Telnyx's portal, make it the webhook URL of the messaging profile and of the voice application"
_AT_TWILIO = "At Twilio, make it the StatusCallback of the messages and calls that you send"
_AT_SNS = "In Amazon SNS, subscribe it to the topic, with the protocol HTTPS; the subscription is confirmed by itself"
records_option = click.option(
    "--records",
    is_flag=True,
    help="Record what the provider tells of; senders then must not report it, too.  [default: only settle costs]",
)


def _asked_for(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """Ask for a secret that was not given; without a terminal it is read from standard input."""
    if not value and sys.stdin.isatty():
        value = str(click.prompt("Auth token", hide_input=True, err=True))
    elif not value:
        value = sys.stdin.readline().strip()
    if not value:
        raise click.UsageError("There is no auth token. Set TWILIO_AUTH_TOKEN, or write it to standard input.")
    return value


@click.group()
def providers() -> None:
    """Set up who tells what messages cost, and see how they fare."""


@providers.group()
def add() -> None:
    """Set a provider up for an organization, or change how it is.

    It answers with the URL to give to the provider, which reports to it; a provider that is set up again keeps its URL.
    The server is reached by it where SENDMETER_PUBLIC_URL says. Secrets are stored encrypted, with
    SENDMETER_SECRETS_KEY, and never shown.
    """


@add.command()
@organization_option
@click.option("--public-key", required=True, metavar="KEY", help="The account's public key, from the portal.")
@click.option(
    "--api-key",
    envvar="TELNYX_API_KEY",
    show_envvar=True,
    metavar="KEY",
    help="With it, costs that Telnyx did not report are asked for. Better not as an argument, which others can see.",
)
@records_option
@database_option
@json_option
def telnyx(
    organization: str, public_key: str, api_key: str | None, records: bool, database: str | None, as_json: bool
) -> None:
    """Set Telnyx up: SMS and calls."""
    given = {"publicKey": public_key, **({"apiKey": api_key} if api_key else {})}
    _add("telnyx", {**given, "records": records}, organization, database, _AT_TELNYX, as_json)


@add.command()
@organization_option
@click.option("--account-sid", required=True, metavar="SID", help="The account, AC and 32 hexadecimal digits.")
@click.option(
    "--auth-token",
    envvar="TWILIO_AUTH_TOKEN",
    show_envvar=True,
    callback=_asked_for,
    metavar="TOKEN",
    help="Its auth token; asked for where it is not given. Better not as an argument, which others can see.",
)
@records_option
@database_option
@json_option
def twilio(
    organization: str, account_sid: str, auth_token: str, records: bool, database: str | None, as_json: bool
) -> None:
    """Set Twilio up: SMS and calls."""
    given = {"accountSid": account_sid, "authToken": auth_token, "records": records}
    _add("twilio", given, organization, database, _AT_TWILIO, as_json)


@add.command()
@organization_option
@click.option("--topic-arn", required=True, metavar="ARN", help="The topic of Amazon SNS that SES publishes to.")
@database_option
@json_option
def ses(organization: str, topic_arn: str, database: str | None, as_json: bool) -> None:
    """Set Amazon SES up: emails. They are recorded; SES tells no cost."""
    _add("ses", {"topicArn": topic_arn}, organization, database, _AT_SNS, as_json)


@providers.command()
@click.option("--organization", metavar="ORG", help="Only this organization's.  [default: all]")
@database_option
@json_option
def status(organization: str | None, database: str | None, as_json: bool) -> None:
    """Show each provider's health: since when it fails and why, how many costs are pending, since when.

    A provider that has failed for longer than SENDMETER_PROVIDER_GRACE_SECONDS, and owes costs of a billing cycle,
    makes reading its usage a 502.
    """
    from sendmeter.services import providers as services  # noqa: PLC0415 - cryptography, which no other command needs

    with opened(database) as store:
        owner = organization_of(store, organization)
        found = {
            each.organization_id: services.search(store, each.number)
            for each in ([owner] if owner else owners.everyone(store))
        }
    if as_json:
        print_json([{"organizationId": key, **_to_json(each)} for key, all_ in found.items() for each in all_])
        return
    for organization_id, all_ in found.items():
        for each in all_:
            click.echo(f"{organization_id}  {_in_words(each)}")
    if not any(found.values()):
        click.echo('There are none. Set one up with "sendmeter providers add".', err=True)


@providers.command()
@click.argument("provider", metavar="PROVIDER", type=click.Choice(PROVIDERS))
@organization_option
@database_option
@json_option
def remove(provider: str, organization: str, database: str | None, as_json: bool) -> None:
    """Forget PROVIDER (telnyx, twilio or ses), with its secrets and its URL. Costs that are pending stay so."""
    from sendmeter.services import providers as services  # noqa: PLC0415 - as above

    with opened(database) as store:
        number = owners.get(store, organization).number
        services.remove(store, number, provider, utc_now(), by=whoever_runs_this())
    if as_json:
        print_json({"organizationId": organization, "provider": provider})
        return
    click.echo(f"Removed {provider}.")


@providers.command("new-key")
@json_option
def make_key(as_json: bool) -> None:
    """Make a key for SENDMETER_SECRETS_KEY, which secrets are encrypted with."""
    from sendmeter.services.vault import new_key  # noqa: PLC0415 - as above

    if as_json:
        print_json({"secretsKey": new_key()})
        return
    click.echo(new_key())


@providers.command()
@database_option
@json_option
def reseal(database: str | None, as_json: bool) -> None:
    """Encrypt all secrets anew, with the first key of SENDMETER_SECRETS_KEY.

    To replace the key, put a new one first, with a comma behind it; restart the server; run this; then drop the old
    one, and restart again.
    """
    from sendmeter.services import providers as services  # noqa: PLC0415 - as above
    from sendmeter.services.vault import vault_of  # noqa: PLC0415 - as above

    vault = vault_of(Settings.from_environment().secrets_key)
    with opened(database) as store:
        count = services.reseal(store, vault)
    if as_json:
        print_json({"resealed": count})
        return
    if not count:
        click.echo("There are no secrets to encrypt.")
        return
    click.echo(f"Encrypted the secrets of {count:,} {'provider' if count == 1 else 'providers'} with the first key.")


def _add(
    provider: str, given: dict[str, Any], organization: str, database: str | None, advice: str, as_json: bool
) -> None:
    from sendmeter.services import providers as services  # noqa: PLC0415 - as above
    from sendmeter.services.vault import vault_of  # noqa: PLC0415 - as above

    if faults := contract().schemas.component("ProviderSetup").faults({"provider": provider, **given}):
        raise InvalidRequest.of(faults)
    vault = vault_of(Settings.from_environment().secrets_key)
    with opened(database) as store:
        number = owners.get(store, organization).number
        by = whoever_runs_this()
        found, is_new = services.add(store, vault, number, provider, given, utc_now(), by=by)
    if as_json:
        print_json(_to_json(found))
        return
    click.echo(f"{'Set up' if is_new else 'Changed'} {provider}. It reports to this URL:\n\n  {_url(found)}\n")
    click.echo(f"{advice}.")


def _url(found: "Status") -> str:
    public_url = Settings.from_environment().public_url
    return endpoint_url(public_url, found.connection.provider, found.connection.endpoint_id)


def _to_json(found: "Status") -> dict[str, Any]:
    """Write a provider with null for what there is not, so that a script need not ask what is there."""
    names = ("failingSince", "nextQuestionAt", "oldestPendingCost", "lastTrouble", "lastAnswerAt", "lastReceiptAt")
    return {**dict.fromkeys(names), **found.to_json(_url(found))}


def _in_words(found: "Status") -> str:
    connection, health = found.connection, found.connection.health
    since = f", failing since {instant_text(health.failing_since)}" if health.failing_since else ""
    lines = [f"{connection.provider}{since or ', ok'}"]
    if found.oldest is not None:
        lines.append(f"{found.pending:,} pending, the oldest sent at {instant_text(found.oldest)}")
    for what, at in (("price", health.last_answer_at), ("report", health.last_receipt_at)):
        if at is not None:
            lines.append(f"last {what} at {instant_text(at)}")
    if trouble := health.last_trouble:
        lines.append(f"last trouble at {instant_text(trouble.at)}: {trouble.message} ({trouble.code})")
    if found.asked_at is not None:
        lines.append(f"a price is asked for next at {instant_text(found.asked_at)}")
    return "\n    ".join([*lines, _url(found)])
