"""The configuration becomes the plain settings that the server's processes pass around; the last checks are here.

Errors carry the reference's texts where it has one (spec "Configuration" §6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from engine.config import kinds
from engine.config.config import Config
from engine.config.errors import ConfigError
from engine.settings import (
    AlertSettings,
    EngineSettings,
    EyesSettings,
    HttpSettings,
    LogSettings,
    Settings,
    StatsSettings,
)

if TYPE_CHECKING:
    from engine.config.section import Section
    from engine.config.server import Tickworks

_NS: Final = 10**9
_BAD_LINES: Final = ("reject-body", "report", "log")
_FSYNC: Final = ("always", "interval", "never")
_ON_RETENTION: Final = ("drop", "refuse-writes")
_LEVELS: Final = ("debug", "info", "warn", "error")
_MAX_PORT: Final = 65535


def to_settings(config: Config) -> Settings:
    """The settings of a server. Raises ConfigError for a value that no server can run with."""
    if not config.hostname:
        raise _invalid("must configure valid hostname")
    if not config.data_dir:
        raise _invalid("must configure valid data dir: set data_dir, or give --data-dir")
    host, port = parse_address(config.http.bind_address)
    ours = config.tickworks
    return Settings(
        data_dir=config.data_dir,
        hostname=config.hostname,
        default_retention_policy=config.default_retention_policy,
        log_level=_one_of("logging.level", config.logging.level.lower().replace("warning", "warn"), _LEVELS),
        http=HttpSettings(
            host=host,
            port=port,
            bad_lines=_one_of("http.bad-lines", config.http.bad_lines, _BAD_LINES),
            max_body_bytes=_positive("http.max-body-size", config.http.max_body_size),
            write_timeout_s=_positive("http.write-timeout", config.http.write_timeout) / _NS,
            log_enabled=config.http.log_enabled,
        ),
        log=_log(ours),
        engine=_engine(ours),
        eyes=EyesSettings(
            history_bytes=_positive("tickworks.log-history-size", ours.log_history_size),
            history_records=_positive("tickworks.log-history-records", ours.log_history_records),
            reader_records=_positive("tickworks.log-reader-records", ours.log_reader_records),
        ),
        stats=StatsSettings(
            enabled=config.stats.enabled,
            interval_s=_positive("stats.stats-interval", config.stats.stats_interval) / _NS,
            database=config.stats.database,
            retention_policy=config.stats.retention_policy,
        ),
        alert=AlertSettings(
            persist_topics=config.alert.persist_topics, topic_buffer_length=config.alert.topic_buffer_length
        ),
        endpoints=_endpoints(config),
    )


def _log(ours: Tickworks) -> LogSettings:
    return LogSettings(
        fsync=_one_of("tickworks.fsync", ours.fsync, _FSYNC),
        fsync_interval_ns=_positive("tickworks.fsync-interval", ours.fsync_interval),
        segment_bytes=_positive("tickworks.segment-size", ours.segment_size),
        retention_bytes=_positive("tickworks.retention-size", ours.retention_size),
        retention_age_ns=int(ours.retention_age) or None,
        tail_bytes=_positive("tickworks.tail-size", ours.tail_size),
        on_retention=_one_of("tickworks.on-retention", ours.on_retention, _ON_RETENTION),
    )


def _engine(ours: Tickworks) -> EngineSettings:
    try:
        ZoneInfo(ours.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _invalid(f'tickworks: zone: unknown time zone "{ours.zone}"') from None
    return EngineSettings(
        max_frame_rows=_positive("tickworks.max-frame-rows", ours.max_frame_rows),
        max_frame_bytes=_positive("tickworks.max-frame-size", ours.max_frame_size),
        drain_timeout_s=_positive("tickworks.drain-timeout", ours.drain_timeout) / _NS,
        start_timeout_s=_positive("tickworks.start-timeout", ours.start_timeout) / _NS,
        max_nodes=_positive("tickworks.max-nodes", ours.max_nodes),
        join_buffer_bytes=_positive("tickworks.join-buffer-size", ours.join_buffer_size),
        zone=ours.zone,
        stall_after_s=_positive("tickworks.stall-after", ours.stall_after) / _NS,
        stall_timeout_s=ours.stall_timeout / _NS if ours.stall_timeout > 0 else None,
    )


def _endpoints(config: Config) -> dict[str, Any]:
    """The `[[httppost]]` elements by name, each with its keys as they stand in a file."""
    found = {}
    for element in config.httppost:
        if not element.endpoint:
            raise _invalid("httppost: must specify endpoint name")
        if not element.url:
            raise _invalid("httppost: must specify url")
        for kind in ("alert", "row"):
            text, file = getattr(element, f"{kind}_template"), getattr(element, f"{kind}_template_file")
            if text and file:
                raise _invalid(f"httppost: must specify only one of {kind}-template and {kind}-template-file")
            if file and not file.startswith("/"):
                raise _invalid(f"httppost: must use an absolute path for {kind}-template-file")
        found[element.endpoint] = msgspec.to_builtins(element)
    return found


def parse_address(text: str) -> tuple[str, int]:
    """Host (empty for all interfaces) and port of `host:port`, `:port` or `[::1]:port`. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or (host.startswith("[") and not host.endswith("]")):
        raise _invalid(f"http: invalid http bind address {text}: address {text}: missing port in address")
    if ":" in host and not host.startswith("["):
        raise _invalid(f"http: invalid http bind address {text}: address {text}: too many colons in address")
    if not (port.isascii() and port.isdigit()):
        raise _invalid(
            f'http: invalid http bind address port {port}: strconv.ParseInt: parsing "{port}": invalid syntax'
        )
    if int(port) > _MAX_PORT:
        raise _invalid(f"http: invalid http bind address port {port}: out of range")
    return host.strip("[]"), int(port)


def _one_of(path: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise _invalid(f'{path.replace(".", ": ")} must be one of {", ".join(allowed)}, not "{value}"')
    return value


def _positive(path: str, value: int) -> int:
    if value <= 0:
        raise _invalid(f"{path.replace('.', ': ')} must be greater than 0")
    return int(value)


def _invalid(text: str) -> ConfigError:
    return ConfigError(f"invalid configuration: {text}")


def without_effect(config: Config) -> list[str]:
    """What `config` sets that this version knows and does not act on yet: `[smtp]`, `[http] auth-enabled`."""
    return list(_without_effect(config, Config(), ""))


def _without_effect(section: Section, usual: Section, path: str) -> list[str]:
    found = []
    for key in kinds.keys(type(section)).values():
        value, default = getattr(section, key.field), getattr(usual, key.field)
        if value == default:
            continue
        if kinds.is_section(key.kind) and any(k.meaning for k in kinds.keys(key.kind).values()):
            found += _without_effect(value, default, key.name)
        elif not key.meaning and not _acts(key.kind) and not _switched_off(value):
            found.append(f"[{path}] {key.name}" if path else f"[{key.name}]" if _is_table(key.kind) else key.name)
    return found


def _acts(kind: Any) -> bool:
    """Whether a list of sections is in effect."""
    of = kinds.element(kind)
    return kinds.is_section(of) and any(k.meaning for k in kinds.keys(of).values())


def _is_table(kind: Any) -> bool:
    return kinds.is_section(kind) or kinds.is_section(kinds.element(kind))


def _switched_off(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return all(getattr(v, "enabled", True) is False for v in values)
