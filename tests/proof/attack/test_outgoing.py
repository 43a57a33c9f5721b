"""API7, server side request forgery, and API10: no text that anybody sends leads us anywhere but to the providers.

What is asked of a provider, and what is taken from its answers, is tried in tests/integrations.
"""

import ast
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handlers
import sendmeter
from sendmeter.contract import contract
from sendmeter.integrations import ses
from sendmeter.services import providers
from sendmeter.services.vault import vault_of
from tests.contract.provoked_responses import World
from tests.integrations.signed_deliveries import SNS_HOST, TOPIC, Amazon, ses_event
from tests.integrations.standin import StandIn
from tests.live import live_server

ARN = contract().document["components"]["schemas"]["SnsTopicArn"]
ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/a.pem", "https://169.254.169.254/a.pem", "https://localhost/a.pem",
    "https://[::1]/a.pem", "https://127.0.0.1:8080/a.pem", "https://2130706433/a.pem", "https://0x7f000001/a.pem",
    "https://0/a.pem", "file:///etc/passwd.pem", "gopher://a/a.pem", "ftp://sns.us-east-1.amazonaws.com/a.pem",
    "//sns.us-east-1.amazonaws.com/a.pem", "/a.pem", "a.pem", "", " ",
    "https://sns.us-east-1.amazonaws.com.evil.example/a.pem", "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
    "https://evil.example#sns.us-east-1.amazonaws.com/a.pem",
    "https://evil.example\\@sns.us-east-1.amazonaws.com/a.pem",
    "https://evil.example/?https://sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com:443@evil.example/a.pem", "https://sns.us-east-1.amazonaws.com\t/a.pem",
    "https://sns.us-east-1.amazonaws.com%2eevil.example/a.pem", "https://sns.us-east-1.amazonaws.com/../a.pem",
    "https://sns.us-east-1.amazonaws.com/%2e%2e/a.pem", "https://s3.amazonaws.com/evil/a.pem",
    "https://sns.eu-west-1.amazonaws.com/a.pem", "https://\uff33\uff2e\uff33.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com./a.pem", "HTTPS://sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com/a.pem\r\nHost: evil.example",
]  # fmt: skip


@pytest.fixture
def standin():
    with StandIn() as server:
        yield server


@pytest.fixture
def receiving(sqlite_store, clock, standin):
    """A server that asks the stand-in, with an organization that has set SES up; gives how SNS delivers to it."""
    with live_server(sqlite_store, clock, test_provider_url=standin.url) as server:
        world = World.of(server)
        setup, vault = {"provider": "ses", "topicArn": TOPIC}, vault_of(server.settings.secrets_key)
        made, _ = providers.add(sqlite_store, vault, world.organization.number, "ses", setup, clock(), by="test")
        path = f"/organization/providers/ses/events/{made.connection.endpoint_id}"
        yield lambda fields: server.client().request(
            "POST", path, content=json.dumps(fields), headers={"content-type": "text/plain; charset=UTF-8"}
        )


def test_no_server_that_a_delivery_names_is_asked(receiving, standin):
    amazon = Amazon(standin)
    genuine = amazon.notification(ses_event())
    for url in ELSEWHERE:
        assert receiving({**genuine, "SigningCertURL": url}).status_code == 401, url
    assert standin.requests == []
    for url in ELSEWHERE:
        # Even if Amazon signed it.
        assert receiving(amazon.confirmation(SubscribeURL=url)).status_code == 400, url
    assert receiving({**amazon.confirmation(), "SubscribeURL": f"https://{SNS_HOST}/?Action=a"}).status_code == 401
    assert {request.path for request in standin.requests} == {amazon.path}, "nothing but the certificate"
    assert receiving(genuine).status_code == 200


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.from_regex(re.compile(ARN["pattern"], re.ASCII)).filter(contract().schemas.validator(ARN).accepts))
def test_a_topic_cannot_name_another_host_than_amazons(arn):
    """Whatever is taken for an ARN when SES is set up: the host that it leads to is SNS's, in a region of any name."""
    assert re.fullmatch(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", ses._host(arn))


@pytest.mark.parametrize(
    "name", ["url", "endpointUrl", "callbackUrl", "webhook", "baseUrl", "host", "publicUrl", "topicUrl"]
)
def test_no_setup_takes_a_url(target, name):
    for setup in (
        {"provider": "telnyx", "publicKey": "e3YwtWgq0Aj5rAM1IyUY5Q4m0BfE2cP8uJrDq7kHn1A="},
        {"provider": "twilio", "accountSid": f"AC{0:032}", "authToken": "token"},
        {"provider": "ses", "topicArn": TOPIC},
    ):
        answer = target.client.request(
            "POST", "/organization/providers", json={**setup, name: "http://169.254.169.254/"}
        )
        assert answer.status_code == 400
        assert answer.json()["error"]["details"] == [{"pointer": f"/{name}", "message": "is not known here"}]


@pytest.mark.parametrize(
    "account", ["AC/../../evil", "AC@evil.example/", "AC%2f..", "AC#", "AC?a=b", "AC\r\nHost: evil.example"]
)
def test_no_account_changes_the_url_that_is_asked(target, account):
    setup = {"provider": "twilio", "accountSid": account, "authToken": "token"}
    assert target.client.request("POST", "/organization/providers", json=setup).status_code == 400


def test_only_the_http_client_opens_connections():
    """Only `integrations/http_client.py` asks other servers; commands listen, and one reads this host's name."""
    ways = {
        "httpx",
        "requests",
        "urllib.request",
        "http.client",
        "aiohttp",
        "ftplib",
        "smtplib",
        "socket",
        "subprocess",
        "xml",
    }
    found = set()
    for package in (sendmeter, handlers):
        folder = Path(package.__file__).parent
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                named = {each.name for each in node.names} if isinstance(node, ast.Import) else set()
                named |= {node.module} if isinstance(node, ast.ImportFrom) else set()
                found |= {(path.relative_to(folder).as_posix(), each) for each in named & ways}
    assert {each for each in found if not each[0].startswith(("cli/", "serving/"))} == {
        ("integrations/http_client.py", "httpx"),
        ("integrations/http_client.py", "socket"),
        # What this host is called.
        ("services/polling.py", "socket"),
        # Reads a list of a header; asks nobody.
        ("mock/preferences.py", "urllib.request"),
    }
