"""`stats`: the layout is the reference's, blank by blank."""

from __future__ import annotations

from typing import Any

from cli.statistics import general, ingress


def _ingress(db: str, rp: str, measurement: str, points: int, task_master: str = "main") -> dict[str, Any]:
    tags = {"task_master": task_master, "database": db, "retention_policy": rp, "measurement": measurement}
    return {"name": "ingress", "tags": tags, "values": {"points_received": points}}


def test_general_figures_stand_in_two_columns() -> None:
    found = {
        "cluster_id": "00000000-0000-4000-8000-000000000001",
        "server_id": "00000000-0000-4000-8000-000000000002",
        "host": "localhost",
        "num_tasks": 2,
        "num_enabled_tasks": 1,
        "num_subscriptions": 0,
        "platform": "OSS",
        "version": "1.8.0",
    }
    assert general(found) == [
        "ClusterID:                    00000000-0000-4000-8000-000000000001",
        "ServerID:                     00000000-0000-4000-8000-000000000002",
        "Host:                         localhost                     ",
        "Tasks:                        2                             ",
        "Enabled Tasks:                1                             ",
        "Subscriptions:                0                             ",
        "Platform:                     OSS                           ",
        "Version:                      1.8.0                         ",
    ]


def test_ingress_is_a_line_a_measurement_of_the_main_stream() -> None:
    figures = {
        "1": _ingress("d", "r", "m", 4),
        "2": {"name": "load", "tags": {}, "values": {"errors": 0}},
        "3": _ingress("d", "r", "m", 9, task_master="replay"),
    }
    assert ingress({"kapacitor": figures}) == [
        "Database Retention Policy Measurement Points Received",
        "d        r                m                         4",
    ]


def test_columns_are_as_wide_as_the_longest_name_in_bytes_and_lines_are_sorted() -> None:
    figures = {"1": _ingress("telegraf_ä", "r", "z", 1), "2": _ingress("telegraf", "r", "a", 1234567)}
    assert ingress({"kapacitor": figures}) == [
        "Database    Retention Policy Measurement Points Received",
        "telegraf    r                a                   1234567",
        "telegraf_ä r                z                         1",
    ]
