"""The contract for people and machines, served here and asking no other host for anything."""

import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
import yaml

from tests.live import ROOT

SERVED = {
    "/docs": "text/html; charset=utf-8",
    "/openapi.json": "application/json",
    "/openapi.yaml": "application/yaml",
}
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "png": "image/png", "yaml": "application/yaml"}
ANYWHERE = re.compile(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", re.IGNORECASE)


class Page(HTMLParser):
    """What a page asks for, and what of it a strict policy would refuse."""

    def __init__(self, text):
        super().__init__()
        self.asked = []
        self.inline = []
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("src", "href"):
                self.asked.append(value)
            if name == "style" or name.startswith("on"):
                self.inline.append(f"{tag} {name}")
        self._script = tag == "script"

    def handle_endtag(self, tag):
        self._script = self._script and tag != "script"

    def handle_data(self, data):
        if self._script and data.strip():
            self.inline.append(data)


@pytest.fixture
def docs(sqlite_server):
    return sqlite_server.client()


def test_the_served_contract_is_the_file(docs):
    written = (ROOT / "openapi.yaml").read_bytes()
    assert docs.request("GET", "/openapi.yaml").content == written
    # BaseLoader makes texts only: a `no` that became false, or a date, would differ from the file.
    expected = yaml.load(written, Loader=yaml.BaseLoader)
    assert same(docs.request("GET", "/openapi.json").json(parse_float=Decimal), expected)


def same(value, text):
    """Compare JSON with YAML whose scalars are all texts."""
    if isinstance(value, dict):
        return list(value) == list(text) and all(same(value[name], text[name]) for name in value)
    if isinstance(value, list):
        return len(value) == len(text) and all(map(same, value, text))
    if isinstance(value, bool | str):
        return text == (value if isinstance(value, str) else json.dumps(value))
    return value == Decimal(text)


@pytest.mark.parametrize("path", SERVED)
def test_the_documentation_has_its_media_type_and_requires_no_key(path, docs):
    answer = docs.request("GET", path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == SERVED[path]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [*SERVED, "/docs/start.js", "/docs/swagger-ui.css"])
def test_head_answers_as_get_does(path, docs):
    got, head = docs.request("GET", path), docs.request("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "content-security-policy", "cache-control"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("path", [*SERVED, "/docs/start.js"])
def test_the_documentation_refuses_methods_that_write(path, docs):
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        answer = docs.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.json()["error"]["code"] == "method_not_allowed"


def test_everything_that_the_page_names_is_served_here(docs):
    page = Page(docs.request("GET", "/docs").text)
    assert len(page.asked) >= 4
    for named in page.asked:
        where = urlsplit(urljoin(f"{docs.url}/docs", named))
        assert f"{where.scheme}://{where.netloc}" == docs.url, f"{named} is elsewhere"
        answer = docs.request("GET", where.path)
        assert answer.status_code == 200, named
        assert answer.headers["content-type"] == MEDIA_TYPES[where.path.rpartition(".")[2]]
        assert answer.content


def test_the_page_shows_the_served_contract(docs):
    (named,) = re.findall(r'url: "([^"]+)"', docs.request("GET", "/docs/start.js").text)
    shown = docs.request("GET", urlsplit(urljoin(f"{docs.url}/docs", named)).path)
    assert shown.content == docs.request("GET", "/openapi.json").content


def test_the_page_names_no_other_host(docs):
    for path in ("/docs", "/docs/start.js"):
        assert ANYWHERE.findall(docs.request("GET", path).text) == []
    style = docs.request("GET", "/docs/swagger-ui.css").text
    fetched = re.findall(r"url\(\s*['\"]?([^'\")]{0,40})|@import\s+['\"]([^'\"]+)", style)
    assert [named for pair in fetched for named in pair if named and not named.startswith("data:")] == []
    assert "validatorUrl: null" in docs.request("GET", "/docs/start.js").text, "Swagger UI asks a validator elsewhere"


@pytest.mark.parametrize("path", [*SERVED, "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"])
def test_the_policy_lets_the_browser_run_and_fetch_only_what_this_server_has(path, docs):
    policy = policy_of(docs.request("GET", path))
    assert policy["default-src"] == ["'self'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] in (["'self'"], ["'none'"])
    # Swagger UI writes styles into its elements, and has its icons as data; nothing else may be loosened.
    loosened = {"style-src": {"'unsafe-inline'"}, "img-src": {"data:"}}
    for directive, sources in policy.items():
        assert set(sources) <= {"'self'", "'none'"} | loosened.get(directive, set()), directive


def policy_of(answer):
    directives = (part.split() for part in answer.headers["content-security-policy"].split(";"))
    return {name: sources for name, *sources in directives}


def test_the_page_has_nothing_that_its_own_policy_refuses(docs):
    assert Page(docs.request("GET", "/docs").text).inline == []


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/nothing.js", "/docs/../openapi.yaml", "/docs/%2e%2e/app.py", "/openapi"]
)
def test_no_path_beside_the_documentation_is_served(path, docs):
    answer = docs.request("GET", path)
    expected = 200 if path == "/docs/../openapi.yaml" else 404  # httpx itself takes the dots away
    assert answer.status_code == expected
