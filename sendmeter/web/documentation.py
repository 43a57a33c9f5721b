"""The contract for people and machines: `/docs`, `/openapi.json`, `/openapi.yaml`. None of it needs the network."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

from sendmeter.contract import Contract
from sendmeter.web.envelope import Answer

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sendmeter: the contract</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<style>.swagger-ui .scheme-container { position: sticky; top: 0; z-index: 2; padding: 12px 0 }</style>
</head>
<body>
<noscript>This page needs JavaScript. The contract is at <a href="openapi.yaml">openapi.yaml</a>.</noscript>
<!-- panel --><div id="contract"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#contract",
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  showExtensions: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  ...window.swaggerOptions,
});
"""
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
_ASSETS = {
    "/docs/swagger-ui.css": "text/css",
    "/docs/swagger-ui-bundle.js": "text/javascript",
    "/docs/favicon-32x32.png": "image/png",
}
_DAY = "public, max-age=86400"


class Documentation:
    """The paths beside the contract's. A `panel` of HTML stands above the contract's page."""

    def __init__(self, contract: Contract, *, panel: str = "") -> None:
        self._answers = {
            "/openapi.json": _answer(contract.json_bytes, "application/json", "no-cache"),
            "/openapi.yaml": _answer(contract.yaml_bytes, "application/yaml", "no-cache"),
            "/docs": _answer(_PAGE.replace("<!-- panel -->", panel).encode(), "text/html; charset=utf-8", "no-cache"),
            "/docs/start.js": _answer(_START.encode(), "text/javascript", "no-cache"),
        }

    def methods_at(self, path: str) -> tuple[str, ...]:
        """Name the methods that a path knows; none where there is no such path."""
        return ("GET", "HEAD") if path in self._answers or path in _ASSETS else ()

    async def answer(self, scope: dict[str, Any]) -> Answer:
        """Return what stands at a request's path."""
        path = scope["path"]
        return self._answers.get(path) or _asset(path)


@lru_cache
def _asset(path: str) -> Answer:
    """Read a file of Swagger UI, when it is first asked for."""
    name = path.removeprefix("/docs/")
    return _answer((files("flask_swagger_ui") / "dist" / name).read_bytes(), _ASSETS[path], _DAY)


def _answer(body: bytes, media_type: str, cache_control: str) -> Answer:
    headers = (
        ("content-type", media_type),
        ("cache-control", cache_control),
        ("content-security-policy", _POLICY),
    )
    return Answer(200, body, headers)
