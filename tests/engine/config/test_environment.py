"""Variables over a configuration."""

from __future__ import annotations

import tomllib

import pytest

from engine.config import kinds
from engine.config.config import Config
from engine.config.environment import apply, variable
from engine.config.errors import ConfigError
from engine.config.reader import merge
from engine.config.values import Duration


def _with(text: str = "", **variables: str) -> Config:
    return apply(merge(tomllib.loads(text), "f"), {f"KAPACITOR_{name}": value for name, value in variables.items()})


def test_the_top_level_and_sections_are_set_by_their_paths() -> None:
    config = _with(
        HOSTNAME="h", DATA_DIR="/d", SKIP_CONFIG_OVERRIDES="t", HTTP_BIND_ADDRESS=":1", HTTP_SHUTDOWN_TIMEOUT="3s"
    )
    assert (config.hostname, config.data_dir, config.skip_config_overrides) == ("h", "/d", True)
    assert config.http.bind_address == ":1"
    assert config.http.shutdown_timeout == Duration.parse("3s")


def test_elements_of_lists_are_set_by_index_where_they_exist() -> None:
    config = _with(INFLUXDB_0_URLS_0="http://x", SLACK_0_TOKEN="t", SLACK_TOKEN="no", SLACK_1_TOKEN="no")
    assert config.influxdb[0].urls == ["http://x"]
    assert [slack.token for slack in config.slack] == ["t"]


def test_kubernetes_alone_may_leave_out_the_index_when_there_is_one() -> None:
    assert _with("[kubernetes]", KUBERNETES_IN_CLUSTER="true").kubernetes[0].in_cluster
    assert _with("[kubernetes]", KUBERNETES_0_IN_CLUSTER="true").kubernetes[0].in_cluster
    two = _with("[[kubernetes]]\n[[kubernetes]]", KUBERNETES_IN_CLUSTER="true")
    assert [k.in_cluster for k in two.kubernetes] == [False, False]


def test_integers_take_prefixes_and_sizes_take_units() -> None:
    config = _with(SMTP_PORT="0x20", HTTP_MAX_BODY_SIZE="1MiB", TICKWORKS_TAIL_SIZE="5")
    assert (config.smtp.port, config.http.max_body_size, config.tickworks.tail_size) == (32, 1 << 20, 5)


def test_keys_that_have_an_underscore_anyway_are_found() -> None:
    assert _with(OPSGENIE_RECOVERY_URL="u").opsgenie.recovery_url == "u"


def test_the_rest_of_the_name_is_the_entry_of_a_table() -> None:
    config = _with('[fluxtask.secrets]\na = "1"', FLUXTASK_SECRETS_b="2", FLUXTASK_SECRETS_C_d="3")
    assert config.fluxtask.secrets == {"a": "1", "b": "2", "C_d": "3"}


def test_empty_and_unknown_variables_change_nothing() -> None:
    assert _with(HOSTNAME="", NO_SUCH="x", URL="http://x", UNSAFE_SSL="x") == Config()


def test_values_that_do_not_fit_are_refused_with_the_references_texts() -> None:
    with pytest.raises(ConfigError) as refused:
        _with(HTTP_LOG_ENABLED="maybe")
    assert str(refused.value) == (
        "apply env config: failed to apply KAPACITOR_HTTP_LOG_ENABLED to LogEnabled using type bool and value 'maybe'"
    )
    with pytest.raises(ConfigError) as refused:
        _with(HTTP_SHUTDOWN_TIMEOUT="zz")
    assert str(refused.value) == (
        'apply env config: KAPACITOR_HTTP_SHUTDOWN_TIMEOUT: failed to unmarshal env var: time: invalid duration "zz"'
    )


def test_every_text_of_every_section_has_a_variable() -> None:
    for top in kinds.keys(Config).values():
        if not kinds.is_section(top.kind):
            continue
        for key in kinds.keys(top.kind).values():
            if key.kind is str:
                config = apply(Config(), {variable(f"{top.name}.{key.name}"): "value"})
                assert getattr(getattr(config, top.field), key.field) == "value"
