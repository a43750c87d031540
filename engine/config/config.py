"""The whole configuration: every section that a file may have."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from engine.config import server, services
from engine.config.section import Section, doc


class Config(Section, frozen=True):
    """The top level. Without a description a key or section is accepted and has no effect yet."""

    hostname: Annotated[
        str, doc("The name by which others reach this server; it is also the `host` of alert templates.")
    ] = "localhost"
    data_dir: Annotated[
        str,
        doc(
            "Where tasks and the ingest log lie; made if absent. Without a configuration file `~/.tickworks`; with one, it "
            "must be given, here or as `--data-dir`."
        ),
    ] = field(name="data_dir", default="")
    skip_config_overrides: bool = False
    default_retention_policy: Annotated[str, doc("The retention policy of writes that name none.")] = ""

    tickworks: server.Tickworks = server.Tickworks()
    http: server.Http = server.Http()
    logging: server.Logging = server.Logging()
    httppost: list[services.Httppost] = field(default_factory=lambda: [services.Httppost()])

    alert: server.Alert = server.Alert()
    auth: server.Auth = server.Auth()
    config_override: server.ConfigOverride = server.ConfigOverride()
    deadman: server.Deadman = server.Deadman()
    fluxtask: server.Fluxtask = server.Fluxtask()
    load: server.Load = server.Load()
    replay: server.Replay = server.Replay()
    reporting: server.Reporting = server.Reporting()
    stats: server.Stats = server.Stats()
    storage: server.Storage = server.Storage()
    task: server.Task = server.Task()
    tls: server.Tls = server.Tls()
    udf: server.Udf = server.Udf()

    influxdb: list[services.Influxdb] = field(default_factory=lambda: [services.Influxdb()])
    udp: list[services.Udp] = []
    graphite: list[services.Graphite] = []
    collectd: services.Collectd = services.Collectd()
    opentsdb: services.Opentsdb = services.Opentsdb()

    alerta: services.Alerta = services.Alerta()
    bigpanda: services.Bigpanda = services.Bigpanda()
    discord: list[services.Discord] = field(default_factory=lambda: [services.Discord()])
    hipchat: services.Hipchat = services.Hipchat()
    kafka: list[services.Kafka] = field(default_factory=lambda: [services.Kafka()])
    mqtt: list[services.Mqtt] = field(default_factory=lambda: [services.Mqtt()])
    opsgenie: services.Opsgenie = services.Opsgenie()
    opsgenie2: services.Opsgenie2 = services.Opsgenie2()
    pagerduty: services.Pagerduty = services.Pagerduty()
    pagerduty2: services.Pagerduty2 = services.Pagerduty2()
    pushover: services.Pushover = services.Pushover()
    sensu: services.Sensu = services.Sensu()
    servicenow: services.Servicenow = services.Servicenow()
    slack: list[services.Slack] = field(default_factory=lambda: [services.Slack()])
    smtp: services.Smtp = services.Smtp()
    snmptrap: services.Snmptrap = services.Snmptrap()
    talk: services.Talk = services.Talk()
    teams: services.Teams = services.Teams()
    telegram: services.Telegram = services.Telegram()
    victorops: services.Victorops = services.Victorops()
    zenoss: services.Zenoss = services.Zenoss()

    kubernetes: list[services.Kubernetes] = []
    swarm: list[services.Swarm] = []
    scraper: list[services.Scraper] = []
    azure: list[services.Azure] = []
    consul: list[services.Consul] = []
    dns: list[services.Dns] = []
    ec2: list[services.Ec2] = []
    file_discovery: list[services.FileDiscovery] = []
    gce: list[services.Gce] = []
    marathon: list[services.Marathon] = []
    nerve: list[services.Nerve] = []
    serverset: list[services.Serverset] = []
    static_discovery: list[services.StaticDiscovery] = []
    triton: list[services.Triton] = []
