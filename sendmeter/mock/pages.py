"""What the mock has beside the contract's paths: the documentation with a panel, `/mock`, `/mock/reset`."""

import html
import json
from importlib.resources import files
from typing import Any

from sendmeter.contract import Contract
from sendmeter.domain.instants import instant_text
from sendmeter.mock.bridge import SCENARIO, SESSION, line_of
from sendmeter.mock.scenarios import SCENARIOS
from sendmeter.mock.worlds import DEFAULT_SESSION, Worlds
from sendmeter.web.documentation import Documentation
from sendmeter.web.envelope import Answer

MOCK, RESET = "/mock", "/mock/reset"
_FILES = {"/docs/mock.js": "text/javascript", "/docs/mock.css": "text/css"}


class MockPages(Documentation):
    """The documentation of the contract and of the mock."""

    def __init__(self, contract: Contract, worlds: Worlds) -> None:
        super().__init__(contract, panel=_panel())
        self._worlds = worlds

    def methods_at(self, path: str) -> tuple[str, ...]:
        """Name the methods that a path knows; none where there is no such path."""
        if path == RESET:
            return ("POST",)
        return ("GET", "HEAD") if path == MOCK or path in _FILES else super().methods_at(path)

    async def answer(self, scope: dict[str, Any]) -> Answer:
        """Return what stands at a request's path; at `/mock/reset`, reset the session's world."""
        session, wanted = line_of(scope, SESSION), line_of(scope, SCENARIO)
        path = scope["path"]
        if path == RESET:
            scenario = await self._worlds.reset(session, wanted)
            return _json({"session": session or DEFAULT_SESSION, "scenario": scenario.name})
        if path == MOCK:
            return _json(self._panel_state(session or DEFAULT_SESSION, self._worlds.scenario_of(session).name))
        if path in _FILES:
            return Answer(200, _file(path.rpartition("/")[2]), (("content-type", _FILES[path]),))
        return await super().answer(scope)

    def _panel_state(self, session: str, scenario: str) -> dict[str, Any]:
        return {
            "session": session,
            "scenario": scenario,
            "now": instant_text(self._worlds.clock()),
            "scenarios": [{"name": each.name, "description": each.description} for each in SCENARIOS.values()],
        }


def _json(value: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n")


def _panel() -> str:
    options = "".join(f"<option>{name}</option>" for name in SCENARIOS)
    rows = "".join(
        f"<tr><th scope='row'><code>{name}</code></th><td>{_marked(each.description)}</td></tr>"
        for name, each in SCENARIOS.items()
    )
    return _file("mock.html").decode().replace("<!-- options -->", options).replace("<!-- rows -->", rows)


def _file(name: str) -> bytes:
    return (files("sendmeter.mock") / "panel" / name).read_bytes()


def _marked(text: str) -> str:
    """Write `code` of a description as HTML."""
    parts = html.escape(text).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
