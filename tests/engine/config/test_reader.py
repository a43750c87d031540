"""Files: merging into the defaults, unknown keys, wrong types."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import kinds
from engine.config.config import Config
from engine.config.errors import ConfigError
from engine.config.reader import merge, read
from engine.config.services import Influxdb
from engine.config.values import Duration

if TYPE_CHECKING:
    from pathlib import Path


def _config(text: str) -> Config:
    return merge(tomllib.loads(text), "f.conf")


def _error(text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        _config(text)
    return str(refused.value)


def test_nothing_given_gives_the_defaults() -> None:
    assert _config("") == Config()


def test_a_section_merges_key_by_key() -> None:
    config = _config('[http]\nbind-address = ":1"\n[stats]\nstats-interval = "1m"')
    assert config.http == msgspec.structs.replace(Config().http, bind_address=":1")
    assert config.stats.stats_interval == Duration.parse("1m")
    assert config.stats.database == "_kapacitor"


def test_letter_case_of_keys_does_not_matter() -> None:
    assert _config('HOSTNAME = "h"\n[Http]\nBind-Address = ":2"').http.bind_address == ":2"


def test_exactly_one_influxdb_merges_into_the_built_in_one() -> None:
    (only,) = _config('[[influxdb]]\nurls = ["http://x"]').influxdb
    assert only == msgspec.structs.replace(Influxdb(), urls=["http://x"])


def test_each_of_several_influxdbs_starts_empty() -> None:
    first, second = _config('[[influxdb]]\nname = "a"\n[[influxdb]]\nname = "b"').influxdb
    assert (first.name, second.name) == ("a", "b")
    assert not first.enabled
    assert first.urls == []
    assert first.excluded_subscriptions == {}
    assert (first.udp_buffer, first.compression, first.subscription_protocol) == (1000, "gzip", "http")


def test_an_influxdb_must_be_a_list() -> None:
    assert _error("[influxdb]\nenabled = false") == (
        "parse config: f.conf: influxdb must be a list of table, not a table"
    )


@pytest.mark.parametrize("text", ['[slack]\nurl = "u"', '[[slack]]\nurl = "u"'])
def test_a_slack_section_may_be_a_table_and_starts_from_zero_values(text: str) -> None:
    (slack,) = _config(text).slack
    assert (slack.url, slack.username, slack.default) == ("u", "", False)


def test_lists_of_other_kinds_start_from_their_defaults() -> None:
    (graphite,) = _config("[[graphite]]\nenabled = true").graphite
    assert (graphite.enabled, graphite.bind_address, graphite.separator) == (True, ":2003", ".")


def test_functions_are_named_by_their_tables() -> None:
    config = _config('[udf.functions.f]\nprog = "/p"\nargs = ["a"]\ntimeout = "10s"\n[udf.functions.f.env]\nK = "v"')
    assert config.udf.functions["f"].env == {"K": "v"}
    assert config.udf.functions["f"].timeout == Duration.parse("10s")


def test_all_unknown_keys_are_named_at_once_with_their_paths() -> None:
    assert _error('[http]\nbind-adress = ":1"\n[[slack]]\nulr = ""\n[nosuch]\na = 1') == (
        "parse config: f.conf: unknown keys: http.bind-adress, slack[0].ulr, nosuch"
    )
    assert _error("hostnam = 'x'") == "parse config: f.conf: unknown key: hostnam"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("hostname = 1", "hostname must be a string, not 1"),
        ("[http]\nlog-enabled = 1", "http.log-enabled must be a bool, not 1"),
        ("[smtp]\nport = true", "smtp.port must be a int, not true"),
        ("[smtp]\nto = 'a'", "smtp.to must be a list of string, not 'a'"),
        ("[smtp]\nto = [1]", "smtp.to[0] must be a string, not 1"),
        ("http = 3", "http must be a table, not 3"),
        ("[stats]\nstats-interval = 10", "stats.stats-interval must be a duration, not 10"),
        ("[stats]\nstats-interval = '1d'", 'stats.stats-interval: time: invalid duration "1d"'),
        (
            "[http]\nmax-body-size = '1x'",
            'http.max-body-size: invalid size "1x": a number, or one with KiB, MiB, GiB, TiB,',
        ),
        ("[[httppost]]\n[httppost.headers]\na = 1", "httppost[0].headers.a must be a string, not 1"),
    ],
)
def test_a_wrong_type_is_named_with_its_key(text: str, what: str) -> None:
    assert _error(text).startswith(f"parse config: f.conf: {what}")


def test_an_integer_serves_as_a_number() -> None:
    assert _config("[deadman]\nthreshold = 3").deadman.threshold == 3.0


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("[http\n")
    with pytest.raises(ConfigError, match=r"^parse config: .*bad\.conf: .*line 1") as refused:
        read(path)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path / "none.conf")
    assert str(refused.value) == f"cannot read the configuration {tmp_path / 'none.conf'}: No such file or directory"


def _scalar(kind: Any) -> Any:
    """A value of a kind that differs from the zero value, as a file would write it."""
    return {str: "x", bool: True, int: 7, float: 2.5, Duration: "3s"}.get(kind)


def test_every_key_of_every_section_can_be_set() -> None:
    seen = 0
    for top in kinds.keys(Config).values():
        section = kinds.element(top.kind) or top.kind
        if not kinds.is_section(section):
            continue
        for key in kinds.keys(section).values():
            value = _scalar(key.kind)
            if value is None:
                continue
            table = {key.name: value}
            config = merge({top.name: [table] if kinds.element(top.kind) else table}, "f")
            holder = getattr(config, top.field)
            found = getattr(holder[0] if isinstance(holder, list) else holder, key.field)
            assert found == (Duration.parse(value) if key.kind is Duration else value)
            seen += 1
    assert seen > 200


_json = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from([*kinds.keys(Config), "nosuch"])


@given(st.dictionaries(_names, _json, max_size=4))
def test_any_table_is_either_a_configuration_or_a_named_error(table: dict[str, Any]) -> None:
    said = "parse config: f: "
    try:
        merge(table, "f")
    except ConfigError as error:
        said = str(error)
    assert said.startswith("parse config: f: ")
