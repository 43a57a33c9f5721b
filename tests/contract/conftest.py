"""What the fuzzer did is told at the end, also where nothing failed: seeds, cases, requests, seconds."""


def pytest_terminal_summary(terminalreporter):
    """Print the last line of each server that was fuzzed."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    lines = [dict(report.user_properties).get("fuzzed") for report in reports if report.when == "call"]
    if told := [line for line in lines if line]:
        terminalreporter.section("fuzzed")
        terminalreporter.write("".join(f"{line}\n" for line in sorted(told)))
