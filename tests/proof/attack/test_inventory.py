"""API9, improper inventory management: what answers is what the contract has, and the pages that show it."""

from importlib.resources import files

import pytest

from sendmeter.contract import contract
from tests.proof.attack.estate import OPERATIONS, request_of
from tests.web.raw import EMAIL, Caller, check_refusal

PAGES = {
    "/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png",
    "/openapi.json", "/openapi.yaml",
}  # fmt: skip
# What others leave open: frameworks' consoles, monitors, version control, and older ways.
OTHERS = [
    "/admin", "/api", "/api/v1", "/v1/organization/usage", "/ui/", "/swagger", "/swagger.json",
    "/swagger-ui/index.html", "/redoc", "/graphql", "/metrics", "/debug", "/debug/pprof", "/console", "/actuator",
    "/actuator/env", "/health", "/healthz", "/status", "/server-status", "/info", "/version", "/.env", "/.git/config",
    "/.well-known/openid-configuration", "/robots.txt", "/favicon.ico", "/static/", "/static/../sendmeter.db",
    "/sendmeter.db", "/openapi", "/openapi.yml", "/docs/", "/docs/oauth2-redirect.html",
    "/docs/swagger-initializer.js", "/docs/swagger-ui-bundle.js.map", "/docs/start.js/", "/docs/.", "/docs/..",
    "/docs/../openapi.yaml", "/docs/%2e%2e/openapi.yaml", "/docs/..%2fopenapi.yaml",
    "/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/docs/....//....//etc/passwd", "/docs/..\\..\\etc\\passwd",
    "/docs/%5c..%5cetc", "/docs/%c0%ae%c0%ae/etc", "/docs/start.js%00.css", "/docs//start.js", "/docs;/start.js",
    "/DOCS", "/Docs/start.js", "/account/", "/account/openapi.json",
    "/accounts/organization/usage", "/account/../organization/usage",
    "//docs", "/organization/", "/organizations/", "/organization/usage/events/",
    "/organization/provider", "/cloudevents",
]  # fmt: skip


@pytest.mark.parametrize("path", OTHERS)
def test_an_undocumented_path_is_not_found(caller, path):
    for method in ("GET", "POST"):
        reply = caller.send(caller.head(f"{method} {path}"))
        assert reply.status in (400, 404), (method, path, reply)
        check_refusal(reply, reply.status, reply.json()["error"]["code"])


def test_only_the_files_that_the_page_needs_are_served(caller):
    for each in (files("flask_swagger_ui") / "dist").iterdir():
        status = caller.send(caller.head(f"GET /docs/{each.name}")).status
        assert (status == 200) == (f"/docs/{each.name}" in PAGES), each.name


FORMS = [
    "{}/", "/{}", "{}//", "{}/.", "{}/..", "{};", "{};a=b", "{}.json", "{}%20", "{}%00", "{}%0a", "{}%2f", "/.{}",
    "/x/..{}", "{}\\", "{}%3f", "{}%23",
]  # fmt: skip


def test_another_spelling_of_a_path_is_not_the_path(shared_server, world):
    """A proxy that guards a path guards the path: whatever it takes for another is another to us."""
    caller = Caller(shared_server, world.organization, world.client.token)
    for operation_id in OPERATIONS:
        method, path, _ = request_of(operation_id, world.names)
        path, _, query = path.partition("?")
        for form in FORMS:
            written = form.format(path)
            # What ends so may be an id, which is not there.
            reply = caller.send(caller.head(f"{method} {written}?{query}"))
            assert reply.status in (400, 404, 405), (written, reply)


@pytest.mark.parametrize("base_path", contract().base_paths)
def test_another_case_of_a_path_is_not_the_path(caller, base_path):
    for operation in OPERATIONS.values():
        path = f"{base_path}{operation.path}".replace("{", "").replace("}", "")
        for written in (
            path.upper(),
            path.title(),
            path.replace("organization", "Organization"),
            path.replace("health", "HEALTH"),
        ):
            if written != path:
                assert caller.send(caller.head(f"{operation.method} {written}")).status == 404, written


def test_an_encoded_slash_does_not_divide_a_path(caller):
    """Proxies differ in whether `%2f` is a slash: here no path is found by it, with the key or without."""
    for path in ("/organization%2fusage", "/organization/usage%2Fevents", "/health%2flive", "/organization%252fusage",
                 "/organization%5cusage", "/%256frganization/usage", "/account%2forganization/usage"):  # fmt: skip
        bare = caller.head(f"GET {path}").replace(f"{caller.key}\r\n".encode(), b"")
        assert [caller.send(data).status for data in (bare, caller.head(f"GET {path}"))] == [404, 404], path


@pytest.mark.parametrize(
    "header",
    [
        "X-HTTP-Method-Override: {}",
        "X-HTTP-Method: {}",
        "X-Method-Override: {}",
        "X-Original-Method: {}",
        "_method: {}",
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_no_header_or_parameter_changes_the_method(caller, header, method):
    reply = caller.send(caller.head("GET /organization/usage/events", header.format(method)))
    assert (reply.status, list(reply.json())) == (200, ["items"])
    assert caller.send(caller.head(f"GET /organization/usage?_method={method}")).status == 400
    assert caller.send(caller.recording(EMAIL, header.format("DELETE"))).status == 200


@pytest.mark.parametrize(
    "header",
    ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Path", "Content-Location"],
)
def test_no_header_changes_the_path(caller, header):
    reply = caller.send(caller.head("GET /health/live", f"{header}: /organizations"))
    assert reply.json() == {"status": "ok"}
    assert caller.send(caller.head("GET /nowhere", f"{header}: /health/live")).status == 404


def test_no_operation_of_the_contract_is_deprecated():
    """There is one version of the contract, the one that is served; nothing of it is deprecated."""
    document = contract().document
    assert not any(item.get("deprecated") for path in document["paths"].values() for item in path.values())
    assert contract().base_paths == ("", "/account")
