"""From files, variables and flags to settings, and what is refused on the way."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec
import pytest

from engine.config import Config, ConfigError, Flags, load
from engine.config.mapping import parse_address, to_settings, without_effect
from engine.config.reader import merge
from engine.config.reference import text as reference_page
from engine.settings import EngineSettings, HttpSettings, LogSettings, Settings

_ROOT = Path(__file__).parents[3]
_NOTHING = Flags()


def _settings(text: str) -> Settings:
    return to_settings(merge(tomllib.loads(f'data_dir = "/d"\n{text}'), "f"))


def test_without_a_file_the_data_lies_in_the_home_directory(tmp_path: Path) -> None:
    loaded = load(None, _NOTHING, {"HOME": str(tmp_path)})
    assert loaded.path is None
    assert loaded.settings.data_dir == str(tmp_path / ".tickworks")
    assert load(Path(os.devnull), _NOTHING, {"HOME": "/h"}).settings.data_dir == "/h/.tickworks"


def test_the_file_is_found_in_the_usual_places(tmp_path: Path) -> None:
    home = tmp_path / ".tickworks" / "tickworks.conf"
    home.parent.mkdir()
    home.write_text('data_dir = "/a"')
    named = tmp_path / "named.conf"
    named.write_text('data_dir = "/b"')
    given = tmp_path / "given.conf"
    given.write_text('data_dir = "/c"')
    variables = {"HOME": str(tmp_path)}
    assert load(None, _NOTHING, variables).settings.data_dir == "/a"
    variables["KAPACITOR_CONFIG_PATH"] = str(named)
    assert load(None, _NOTHING, variables).settings.data_dir == "/b"
    assert load(given, _NOTHING, variables).settings.data_dir == "/c"


def test_the_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    path = tmp_path / "f.conf"
    path.write_text('data_dir = "/file"\n[http]\nbind-address = ":1"\n[logging]\nlevel = "DEBUG"')
    variables = {"KAPACITOR_DATA_DIR": "/env", "KAPACITOR_HTTP_BIND_ADDRESS": ":2"}
    settings = load(path, _NOTHING, variables).settings
    assert (settings.data_dir, settings.http.port, settings.log_level) == ("/env", 2, "debug")
    flags = Flags(data_dir=Path("/flag"), http="[::1]:3", log_level="error")
    settings = load(path, flags, variables).settings
    assert (settings.data_dir, settings.http.host, settings.http.port) == ("/flag", "::1", 3)
    assert settings.log_level == "error"


def test_with_a_file_the_data_directory_has_no_default(tmp_path: Path) -> None:
    path = tmp_path / "f.conf"
    path.write_text("")
    with pytest.raises(ConfigError, match="must configure valid data dir"):
        load(path, _NOTHING, {"HOME": "/h"})
    assert load(path, Flags(data_dir=Path("/d")), {}).settings.data_dir == "/d"


def test_the_defaults_of_the_configuration_are_those_of_the_settings() -> None:
    settings = _settings("")
    assert (settings.log, settings.engine) == (LogSettings(), EngineSettings())
    # Whether requests are logged is a default of the reference; without a configuration nobody asks for it.
    assert msgspec.structs.replace(settings.http, log_enabled=False) == HttpSettings()


def test_every_setting_of_our_own_arrives() -> None:
    settings = _settings(
        """
        default-retention-policy = "p"
        [http]
        bad-lines = "log"
        max-body-size = "1KiB"
        write-timeout = "1500ms"
        log-enabled = false
        [tickworks]
        max-frame-rows = 1
        max-frame-size = "2KiB"
        drain-timeout = "1s"
        start-timeout = "2s"
        max-nodes = 5
        join-buffer-size = "3KiB"
        zone = "Europe/Berlin"
        fsync = "always"
        fsync-interval = "3ms"
        segment-size = "4KiB"
        retention-size = "8KiB"
        retention-age = "1h"
        on-retention = "refuse-writes"
        stall-after = "2s"
        stall-timeout = "3m"
        tail-size = "1KiB"
        """
    )
    assert settings.default_retention_policy == "p"
    assert settings.http == HttpSettings(
        host="", port=9092, bad_lines="log", max_body_bytes=1024, write_timeout_s=1.5, log_enabled=False
    )
    assert settings.engine == EngineSettings(
        max_frame_rows=1,
        max_frame_bytes=2048,
        drain_timeout_s=1.0,
        start_timeout_s=2.0,
        max_nodes=5,
        join_buffer_bytes=3072,
        zone="Europe/Berlin",
        stall_after_s=2.0,
        stall_timeout_s=180.0,
    )
    assert settings.log == LogSettings(
        fsync="always",
        fsync_interval_ns=3_000_000,
        segment_bytes=4096,
        retention_bytes=8192,
        retention_age_ns=3600 * 10**9,
        tail_bytes=1024,
        on_retention="refuse-writes",
    )


def test_endpoints_are_handed_on_by_name_with_their_keys() -> None:
    settings = _settings(
        """
        [[httppost]]
        endpoint = "e"
        url = "http://x"
        headers = { A = "b" }
        basic-auth = { username = "u", password = "p" }
        row-template = "{{.Name}}"
        """
    )
    assert set(settings.endpoints) == {"e"}
    endpoint = settings.endpoints["e"]
    assert (endpoint["url"], endpoint["headers"], endpoint["row-template"]) == ("http://x", {"A": "b"}, "{{.Name}}")
    assert endpoint["basic-auth"] == {"username": "u", "password": "p"}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('hostname = ""', "must configure valid hostname"),
        (
            '[http]\nbind-address = "9092"',
            "http: invalid http bind address 9092: address 9092: missing port in address",
        ),
        ('[http]\nbind-address = ":99999"', "http: invalid http bind address port 99999: out of range"),
        (
            '[http]\nbind-address = ":x"',
            'http: invalid http bind address port x: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (
            '[http]\nbind-address = "::1:9"',
            "http: invalid http bind address ::1:9: address ::1:9: too many colons in address",
        ),
        ('[http]\nbad-lines = "x"', 'http: bad-lines must be one of reject-body, report, log, not "x"'),
        ('[logging]\nlevel = "loud"', 'logging: level must be one of debug, info, warn, error, not "loud"'),
        ("[tickworks]\nmax-frame-rows = 0", "tickworks: max-frame-rows must be greater than 0"),
        ('[tickworks]\nzone = "Nowhere"', 'tickworks: zone: unknown time zone "Nowhere"'),
        ('[tickworks]\nzone = "../etc"', 'tickworks: zone: unknown time zone "../etc"'),
        ("[[httppost]]\nurl = 'u'", "httppost: must specify endpoint name"),
        ("[[httppost]]\nendpoint = 'e'", "httppost: must specify url"),
        (
            "[[httppost]]\nendpoint = 'e'\nurl = 'u'\nrow-template = 'a'\nrow-template-file = '/f'",
            "httppost: must specify only one of row-template and row-template-file",
        ),
        (
            "[[httppost]]\nendpoint = 'e'\nurl = 'u'\nalert-template-file = 'f'",
            "httppost: must use an absolute path for alert-template-file",
        ),
    ],
)
def test_what_no_server_can_run_with_is_refused(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as refused:
        _settings(text)
    assert str(refused.value) == f"invalid configuration: {error}"


def test_addresses_have_a_host_or_none() -> None:
    assert parse_address(":0") == ("", 0)
    assert parse_address("127.0.0.1:9092") == ("127.0.0.1", 9092)
    assert parse_address("[::1]:80") == ("::1", 80)


def test_what_is_set_and_has_no_effect_is_named() -> None:
    config = merge(
        tomllib.loads(
            """
            skip-config-overrides = true
            [http]
            auth-enabled = true
            bind-address = ":1"
            [smtp]
            enabled = true
            [[udp]]
            enabled = true
            [slack]
            enabled = false
            [[influxdb]]
            enabled = false
            """
        ),
        "f",
    )
    assert without_effect(config) == ["skip-config-overrides", "[http] auth-enabled", "[udp]", "[smtp]"]
    assert without_effect(Config()) == []


def test_the_documentation_is_that_of_the_declarations() -> None:
    """Made by `python -m engine.config.reference docs/configuration.md`."""
    assert (_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == reference_page()
