"""CI runs what everybody runs: each step is a target of the Makefile, and may do no more than it must."""

import re

import pytest
import yaml

from tests.live import ROOT

# BaseLoader: to YAML 1.1 the name `on` is a boolean.
CI = yaml.load((ROOT / ".github" / "workflows" / "ci.yml").read_text(), Loader=yaml.BaseLoader)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
STEPS = [(name, step) for name, job in CI["jobs"].items() for step in job["steps"]]
RUN = [(name, step["run"]) for name, step in STEPS if "run" in step]
USED = {step["uses"] for _, step in STEPS if "uses" in step}


@pytest.mark.parametrize(("job", "command"), RUN)
def test_each_step_is_a_target_of_the_makefile(job, command):
    words = command.split()
    assert words[0] == "make"
    assert words[1] in TARGETS
    # What comes from outside is in the environment: a shell would read it in a command.
    assert re.fullmatch(r"make [a-z-]+", command)


def test_each_job_runs_what_makes_the_gate():
    commands = {job: [command for name, command in RUN if name == job] for job, _ in RUN}
    assert commands["test"][-3:] == ["make browser", "make test", "make check"]
    assert commands["contract"][-1] == "make contract-diff"
    assert commands["fuzz"] == ["make fuzz"]
    assert commands["proof"] == ["make proof", "make fuzz-parsers"]
    assert CI["on"].keys() == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert {name: re.findall(r"== '(\w+)'", job["if"]) for name, job in CI["jobs"].items()} == {
        "test": ["push", "pull_request"],
        "contract": ["pull_request"],
        "fuzz": ["schedule", "workflow_dispatch"],
        "proof": ["schedule"],
    }
    # The base branch must be there to be compared with.
    assert CI["jobs"]["contract"]["steps"][0]["with"]["fetch-depth"] == "0"


def test_each_variable_is_one_of_the_makefile():
    handed = {name: step["env"] for name, step in STEPS if "env" in step}
    assert handed["contract"] == {"BASE": "origin/${{ github.base_ref }}"}
    assert handed["fuzz"]["SEED"] == "${{ inputs.seed || github.run_id }}"
    assert "seed" in CI["on"]["workflow_dispatch"]["inputs"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"{{{name}:-" in makefile or f"$${name}" in makefile for env in handed.values() for name in env)
    # Two of three servers at once: all of them end before the job is ended.
    assert 2 * int(handed["fuzz"]["FUZZ_TIMEOUT"]) < 60 * int(CI["jobs"]["fuzz"]["timeout-minutes"])


def test_the_nightly_report_is_kept():
    *_, upload = CI["jobs"]["fuzz"]["steps"]
    assert upload["if"] == "always()"
    assert f"FUZZ_REPORT:-{upload['with']['path']}}}" in (ROOT / "Makefile").read_text()


def test_no_job_may_write_or_run_without_end():
    assert CI["permissions"] == {"contents": "read"}
    assert CI["concurrency"]["group"]
    for job in CI["jobs"].values():
        assert "permissions" not in job
        assert 0 < int(job["timeout-minutes"]) <= 120


def test_each_action_has_a_fixed_version_and_a_known_owner():
    assert {
        "actions/checkout@v4",
        "actions/setup-node@v4",
        "actions/setup-python@v5",
        "actions/upload-artifact@v4",
    } == USED
