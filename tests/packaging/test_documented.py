"""What a user can set or run is told in the README or a guide, and what these tell of is there."""

import dataclasses
import re

import click
import pytest

from sendmeter.cli import main
from sendmeter.settings import Settings, variable
from tests.live import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
EVERY_PAGE = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TEXT = "\n".join(page.read_text() for page in PAGES)


def commands(command=main, path="sendmeter"):
    """Return each command that does something, with the words that run it."""
    if isinstance(command, click.Group):
        each = {name: command.get_command(None, name) for name in command.list_commands(None)}
        return [found for name, below in each.items() for found in commands(below, f"{path} {name}")]
    return [(path, command)]


COMMANDS = dict(commands())
OPTIONS = [
    (path, option)
    for path, command in COMMANDS.items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in parameter.opts
]


@pytest.mark.parametrize("setting", dataclasses.fields(Settings), ids=lambda setting: setting.name)
def test_each_setting_is_told_of_with_its_variable_and_its_default(setting):
    rows = [line for line in TEXT.splitlines() if line.startswith(f"| `{variable(setting.name)}` |")]
    assert len(rows) == 1
    default = rows[0].split("|")[2].strip(" `")
    assert Settings.from_environment({variable(setting.name): default}) == Settings()


def test_each_variable_that_is_told_of_is_a_setting():
    told = set(re.findall(r"SENDMETER_[A-Z_]+", "".join(page.read_text() for page in EVERY_PAGE)))
    assert told == {variable(setting.name) for setting in dataclasses.fields(Settings)}


@pytest.mark.parametrize("path", COMMANDS)
def test_each_command_is_told_of(path):
    assert re.search(rf"\b{path}\b", TEXT)


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=lambda value: value)
def test_each_option_is_told_of(path, option):
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", TEXT)


def test_each_command_and_option_that_is_told_of_is_there():
    text = "\n".join(page.read_text() for page in EVERY_PAGE).replace("\\\n", " ")
    told = re.findall(r"(?:^|[`( ])(sendmeter (?:[a-z][a-z-]* ?){1,3})((?:[^`|;&>\n]*))", text, re.MULTILINE)
    assert told
    for words, rest in told:
        path = next((path for path in COMMANDS if words.strip().startswith(path)), None)
        groups = {path.rpartition(" ")[0] for path in COMMANDS}
        assert path or words.strip() in groups, words
        known = {option for each, option in OPTIONS if each == path} | {"--help"}
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", rest)) <= known, (words, rest)


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_that_is_there(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith(("http://", "https://")) or (page.parent / target).exists(), target


def test_each_document_that_the_source_names_is_there():
    sources = [*(ROOT / "sendmeter").rglob("*.py"), *(ROOT / "handlers").rglob("*.py"), ROOT / "openapi.yaml"]
    named = {
        (path, name)
        for path in sources
        for name in re.findall(r"docs/(?:guides|decisions)/[\w.-]*\w", path.read_text())
    }
    numbered = {(path, name) for path, name in named if list((ROOT / name).parent.glob(f"{(ROOT / name).name}*"))}
    assert named - numbered == set()


def test_each_target_that_is_told_of_is_there():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split()) == targets
    text = "".join(page.read_text() for page in EVERY_PAGE)
    assert (
        set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)  ", text, re.MULTILINE)) <= targets
    )
