"""Settings come from the environment, and what is wrong there is told with the variable's name."""

from dataclasses import fields

import pytest

from sendmeter.settings import Settings, variable

OTHERS = {
    "SENDMETER_DATABASE_URL": "postgresql://meter@db/usage",
    "SENDMETER_WORKER_THREADS": "3",
    "SENDMETER_MAX_WAITING": "12",
    "SENDMETER_KEY_REQUESTS_PER_SECOND": "0.5",
    "SENDMETER_BUSY_TIMEOUT_SECONDS": "0.25",
    "SENDMETER_REQUEST_TIMEOUT_SECONDS": "7.5",
    "SENDMETER_MAX_CONNECTIONS": "77",
    "SENDMETER_PROVIDER_GRACE_SECONDS": "60",
    "SENDMETER_PUBLIC_URL": "https://usage.example.com",
    "SENDMETER_SECRETS_KEY": f"{'a' * 43}=,{'b' * 43}=",
    "SENDMETER_PROVIDER_POLL_SECONDS": "1.5",
    "SENDMETER_PROVIDER_REQUESTS_PER_SECOND": "2.5",
    "SENDMETER_PROVIDER_TIMEOUT_SECONDS": "3.5",
    "SENDMETER_TEST_PROVIDER_URL": "http://127.0.0.1:9999",
    "SENDMETER_LOG_LEVEL": "debug",
}
BOUNDED = [setting for setting in fields(Settings) if "bounds" in setting.metadata]


def test_without_an_environment_every_setting_has_its_default():
    assert Settings.from_environment({}) == Settings()


def test_every_setting_is_read_from_its_variable_with_its_type():
    read = Settings.from_environment(OTHERS)
    assert {variable(setting.name): str(getattr(read, setting.name)) for setting in fields(read)} == OTHERS
    assert all(type(getattr(read, setting.name)) is setting.type for setting in fields(read))


def test_no_default_is_out_of_its_own_bounds():
    defaults = Settings()
    written = {variable(setting.name): str(getattr(defaults, setting.name)) for setting in fields(defaults)}
    assert Settings.from_environment(written) == defaults


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SENDMETER_SECRETS_KEY", "s3cret"),
        ("SENDMETER_SECRETS_KEY", f"{'a' * 43}=,s3cret"),
        ("SENDMETER_PUBLIC_URL", "meter.example.org"),
        ("SENDMETER_PUBLIC_URL", "https://s3cret@usage.example.com"),
        ("SENDMETER_PUBLIC_URL", "https://usage.example.com/?s3cret"),
        ("SENDMETER_TEST_PROVIDER_URL", "https://api.example.com"),
        ("SENDMETER_TEST_PROVIDER_URL", "http://127.0.0.1:9@api.example.com"),
    ],
)
def test_what_is_of_another_form_is_taken_or_shown(name, text):
    with pytest.raises(ValueError, match=f"^{name} is not ") as refused:
        Settings.from_environment({name: text})
    assert "s3cret" not in str(refused.value)
    assert text not in str(refused.value)


def test_a_secret_is_shown_with_the_settings():
    assert "aaa" not in repr(Settings.from_environment(OTHERS))


def test_the_environment_of_the_process_is_read(monkeypatch):
    monkeypatch.setenv("SENDMETER_WORKER_THREADS", "5")
    assert Settings.from_environment().worker_threads == 5
    assert Settings.from_environment({}).worker_threads == Settings().worker_threads


def test_variables_of_others_and_empty_ones_change_nothing():
    empty = dict.fromkeys(OTHERS, "")
    assert Settings.from_environment({**empty, "WORKER_THREADS": "5", "sendmeter_worker_threads": "5"}) == Settings()


def test_an_override_wins_unless_it_is_none():
    read = Settings.from_environment(OTHERS, worker_threads=7, log_level=None, max_waiting=0)
    assert (read.worker_threads, read.log_level, read.max_waiting) == (7, "debug", 0)


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda setting: setting.name)
def test_a_bound_is_allowed_and_what_lies_past_it_is_not(setting):
    name, (least, most) = variable(setting.name), setting.metadata["bounds"]
    for bound in (least, most):
        assert getattr(Settings.from_environment({name: str(bound)}), setting.name) == bound
    for beyond in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"^{name} is .*out of bounds.*{most:,}"):
            Settings.from_environment({name: str(beyond)})


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda setting: setting.name)
@pytest.mark.parametrize("text", ["many", " ", "1,000", "0x10", "1s", "nan", "inf", "-inf", "1e999"])
def test_what_is_no_number_is_told_with_the_variables_name(setting, text):
    with pytest.raises(ValueError, match=f"^{variable(setting.name)} is .*Set it to a number"):
        Settings.from_environment({variable(setting.name): text})


def test_a_count_is_not_cut_to_a_whole_number():
    with pytest.raises(ValueError, match="SENDMETER_WORKER_THREADS"):
        Settings.from_environment({"SENDMETER_WORKER_THREADS": "2.5"})


@pytest.mark.parametrize("text", ["verbose", "INFO", "warn", " info"])
def test_a_log_level_that_there_is_not_is_told_with_those_that_there_are(text):
    with pytest.raises(ValueError, match=r"^SENDMETER_LOG_LEVEL is .*debug, info, warning, error"):
        Settings.from_environment({"SENDMETER_LOG_LEVEL": text})


def test_settings_do_not_change_once_they_are_read():
    with pytest.raises(AttributeError):
        Settings().log_level = "debug"
