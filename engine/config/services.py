"""The sections of inputs, databases, alert services, scrapers and discovery (spec "Configuration" §10, "Inputs" §5-10, 17).

Known here so that a file of Kapacitor's is understood and checked; what a service does with its keys stands beside the
service. Of them only `[[httppost]]` is in effect.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from engine.config.section import Section, doc
from engine.config.values import Duration

_S = 10**9


class BasicAuth(Section, frozen=True):
    """Credentials of an endpoint."""

    username: str = ""
    password: str = ""


class Httppost(Section, frozen=True):
    """An endpoint for `httpPost` and for alerts."""

    endpoint: Annotated[str, doc("The name by which `.endpoint()` refers to it.")] = "example"
    url: Annotated[str, doc("Where it posts to.")] = "http://example.com"
    headers: Annotated[dict[str, str], doc("Headers of each request.")] = {}
    basic_auth: Annotated[BasicAuth, doc("`username` and `password`, used when both are given.")] = BasicAuth()
    alert_template: Annotated[str, doc("Template of an alert's body that is not the usual JSON.")] = ""
    alert_template_file: Annotated[str, doc("The same in a file, by its absolute path.")] = ""
    row_template: Annotated[str, doc("Template of a body that is not the usual JSON.")] = ""
    row_template_file: Annotated[str, doc("The same in a file, by its absolute path.")] = ""


class _Client(Section, frozen=True):
    """TLS of an outgoing connection."""

    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    insecure_skip_verify: bool = False


class Influxdb(_Client, frozen=True):
    enabled: bool = True
    name: str = "default"
    default: bool = False
    urls: list[str] = field(default_factory=lambda: ["http://localhost:8086"])
    username: str = ""
    password: str = ""
    token: str = ""
    http_shared_secret: bool = False
    timeout: Duration = Duration(0)
    startup_timeout: Duration = Duration(300 * _S)
    disable_subscriptions: bool = False
    subscription_protocol: str = "http"
    subscription_mode: str = "cluster"
    subscriptions_sync_interval: Duration = Duration(60 * _S)
    subscriptions: dict[str, list[str]] = {}
    excluded_subscriptions: dict[str, list[str]] = field(default_factory=lambda: {"_kapacitor": ["autogen"]})
    kapacitor_hostname: str = ""
    http_port: int = 0
    udp_bind: str = ""
    udp_buffer: int = 1000
    udp_read_buffer: int = 0
    subscription_path: str = ""
    compression: str = "gzip"


class Udp(Section, frozen=True):
    enabled: bool = False
    bind_address: str = ""
    database: str = ""
    retention_policy: str = ""
    read_buffer: int = 0
    buffer: int = 1000


class Graphite(Section, frozen=True):
    enabled: bool = False
    bind_address: str = ":2003"
    database: str = "graphite"
    retention_policy: str = ""
    protocol: str = "tcp"
    batch_size: int = 5000
    batch_pending: int = 10
    batch_timeout: Duration = Duration(_S)
    consistency_level: str = "one"
    separator: str = "."
    udp_read_buffer: int = 0
    tags: list[str] = []
    templates: list[str] = []


class Collectd(Section, frozen=True):
    enabled: bool = False
    bind_address: str = ":25826"
    database: str = "collectd"
    retention_policy: str = ""
    batch_size: int = 5000
    batch_pending: int = 10
    batch_timeout: Duration = Duration(10 * _S)
    read_buffer: int = 0
    typesdb: str = "/usr/share/collectd/types.db"
    security_level: str = "none"
    auth_file: str = "/etc/collectd/auth_file"
    parse_multivalue_plugin: str = "split"


class Opentsdb(Section, frozen=True):
    enabled: bool = False
    bind_address: str = ":4242"
    database: str = "opentsdb"
    retention_policy: str = ""
    consistency_level: str = "one"
    tls_enabled: bool = False
    certificate: str = "/etc/ssl/influxdb.pem"
    batch_size: int = 1000
    batch_pending: int = 5
    batch_timeout: Duration = Duration(_S)
    log_point_errors: bool = True


class Alerta(Section, frozen=True):
    enabled: bool = False
    url: str = ""
    insecure_skip_verify: bool = False
    token: str = ""
    token_prefix: str = ""
    environment: str = ""
    origin: str = ""
    timeout: Duration = Duration(0)


class Bigpanda(Section, frozen=True):
    enabled: bool = False
    global_: bool = False
    app_key: str = ""
    token: str = ""
    url: str = "https://api.bigpanda.io/data/v2/alerts"
    auto_attributes: str = "tags,fields"
    state_changes_only: bool = False
    insecure_skip_verify: bool = False


class Discord(_Client, frozen=True):
    enabled: bool = False
    default: bool = True
    workspace: str = ""
    url: str = ""
    timestamp: bool = False
    username: str = ""
    avatar_url: str = ""
    embed_title: str = ""
    global_: bool = False
    state_changes_only: bool = False


class Hipchat(Section, frozen=True):
    enabled: bool = False
    url: str = ""
    token: str = ""
    room: str = ""
    global_: bool = False
    state_changes_only: bool = False


class Kafka(_Client, frozen=True):
    enabled: bool = False
    id: str = "default"
    brokers: list[str] = []
    timeout: Duration = Duration(0)
    batch_size: int = 0
    batch_timeout: Duration = Duration(0)
    use_ssl: bool = False
    sasl_username: str = ""
    sasl_password: str = ""
    sasl_mechanism: str = ""
    sasl_version: str = ""
    sasl_extensions: dict[str, str] = field(name="sasl_extensions", default_factory=dict)
    sasl_gssapi_service_name: str = ""
    sasl_gssapi_auth_type: str = ""
    sasl_gssapi_disable_pafxfast: bool = False
    sasl_gssapi_kerberos_config_path: str = ""
    sasl_gssapi_key_tab_path: str = ""
    sasl_gssapi_realm: str = ""
    sasl_oauth_service: str = ""
    sasl_oauth_client_id: str = ""
    sasl_oauth_client_secret: str = ""
    sasl_oauth_token_url: str = ""
    sasl_oauth_tenant_id: str = ""
    sasl_oauth_scopes: list[str] = []
    sasl_oauth_parameters: dict[str, str] = {}
    sasl_oauth_token_expiry_margin: Duration = Duration(10 * _S)
    sasl_access_token: str = ""


class Mqtt(_Client, frozen=True):
    enabled: bool = False
    name: str = "default"
    default: bool = False
    url: str = ""
    client_id: str = ""
    username: str = ""
    password: str = ""


class Opsgenie(Section, frozen=True):
    enabled: bool = False
    api_key: str = ""
    teams: list[str] = []
    recipients: list[str] = []
    url: str = "https://api.opsgenie.com/v1/json/alert"
    recovery_url: str = field(name="recovery_url", default="https://api.opsgenie.com/v1/json/alert/note")
    global_: bool = False


class Opsgenie2(Section, frozen=True):
    enabled: bool = False
    api_key: str = ""
    teams: list[str] = []
    recipients: list[str] = []
    url: str = "https://api.opsgenie.com/v2/alerts"
    recovery_action: str = field(name="recovery_action", default="notes")
    global_: bool = False
    details: bool = False


class Pagerduty(Section, frozen=True):
    enabled: bool = False
    url: str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
    service_key: str = ""
    global_: bool = False


class Pagerduty2(Section, frozen=True):
    enabled: bool = False
    url: str = "https://events.pagerduty.com/v2/enqueue"
    routing_key: str = ""
    global_: bool = False


class Pushover(Section, frozen=True):
    enabled: bool = False
    token: str = ""
    user_key: str = ""
    url: str = "https://api.pushover.net/1/messages.json"


class Smtp(Section, frozen=True):
    enabled: bool = False
    host: str = "localhost"
    port: int = 25
    username: str = ""
    password: str = ""
    no_verify: bool = False
    global_: bool = False
    state_changes_only: bool = False
    from_: str = ""
    to: list[str] = []
    to_templates: list[str] = field(name="toTemplates", default_factory=list)
    idle_timeout: Duration = Duration(30 * _S)


class Snmptrap(Section, frozen=True):
    enabled: bool = False
    addr: str = "localhost:162"
    community: str = "kapacitor"
    retries: int = 1


class Sensu(Section, frozen=True):
    enabled: bool = False
    addr: str = ""
    source: str = "Kapacitor"
    handlers: list[str] = []


class Servicenow(Section, frozen=True):
    enabled: bool = False
    url: str = "https://instance.service-now.com/api/global/em/jsonv2"
    source: str = ""
    username: str = ""
    password: str = ""
    global_: bool = False
    state_changes_only: bool = False


class Slack(_Client, frozen=True):
    enabled: bool = False
    default: bool = True
    workspace: str = ""
    url: str = ""
    token: str = ""
    channel: str = ""
    username: str = "kapacitor"
    icon_emoji: str = ""
    global_: bool = False
    state_changes_only: bool = False


class Talk(Section, frozen=True):
    enabled: bool = False
    url: str = ""
    author_name: str = field(name="author_name", default="")


class Teams(Section, frozen=True):
    enabled: bool = False
    channel_url: str = ""
    global_: bool = False
    state_changes_only: bool = False


class Telegram(Section, frozen=True):
    enabled: bool = False
    url: str = "https://api.telegram.org/bot"
    token: str = ""
    chat_id: str = ""
    parse_mode: str = ""
    disable_web_page_preview: bool = False
    disable_notification: bool = False
    global_: bool = False
    state_changes_only: bool = False


class Victorops(Section, frozen=True):
    enabled: bool = False
    api_key: str = ""
    routing_key: str = ""
    url: str = "https://alert.victorops.com/integrations/generic/20131114/alert"
    global_: bool = False
    json_data: bool = False


class SeverityMap(Section, frozen=True):
    ok: Any = field(name="OK", default="Clear")
    info: Any = field(name="Info", default="Info")
    warning: Any = field(name="Warning", default="Warning")
    critical: Any = field(name="Critical", default="Critical")


class Zenoss(Section, frozen=True):
    enabled: bool = False
    url: str = "https://tenant.zenoss.io:8080/zport/dmd/evconsole_router"
    username: str = ""
    password: str = ""
    action: str = "EventsRouter"
    method: str = "add_event"
    type: str = "rpc"
    tid: int = 1
    collector: str = "Kapacitor"
    severity_map: SeverityMap = SeverityMap()
    global_: bool = False
    state_changes_only: bool = False


class Kubernetes(Section, frozen=True):
    enabled: bool = False
    id: str = ""
    in_cluster: bool = False
    api_servers: list[str] = []
    token: str = ""
    ca_path: str = ""
    namespace: str = ""
    resource: str = ""


class Swarm(_Client, frozen=True):
    enabled: bool = False
    id: str = ""
    servers: list[str] = []


class Scraper(_Client, frozen=True):
    enabled: bool = False
    name: str = ""
    type: str = "prometheus"
    db: str = ""
    rp: str = ""
    scheme: str = "http"
    metrics_path: str = "/metrics"
    params: dict[str, list[str]] = {}
    scrape_interval: Duration = Duration(60 * _S)
    scrape_timeout: Duration = Duration(10 * _S)
    username: str = ""
    password: str = ""
    bearer_token: str = ""
    ssl_server_name: str = ""
    proxy_url: str = ""
    discoverer_id: str = ""
    discoverer_service: str = ""
    blacklist: list[str] = []


class _Discovery(Section, frozen=True):
    enabled: bool = False
    id: str = ""


class StaticDiscovery(_Discovery, frozen=True):
    targets: list[str] = []
    labels: dict[str, str] = {}


class FileDiscovery(_Discovery, frozen=True):
    files: list[str] = []
    refresh_interval: Duration = Duration(300 * _S)


class Dns(_Discovery, frozen=True):
    record_names: list[str] = []
    type: str = "SRV"
    port: int = 0
    refresh_interval: Duration = Duration(30 * _S)


class _TlsDiscovery(_Discovery, frozen=True):
    ssl_ca: str = ""
    ssl_cert: str = ""
    ssl_key: str = ""
    ssl_server_name: str = ""
    insecure_skip_verify: bool = False


class Consul(_TlsDiscovery, frozen=True):
    address: str = "127.0.0.1:8500"
    token: str = ""
    datacenter: str = ""
    tag_separator: str = ","
    scheme: str = "http"
    username: str = ""
    password: str = ""
    services: list[str] = []


class Ec2(_Discovery, frozen=True):
    region: str = ""
    access_key: str = ""
    secret_key: str = ""
    profile: str = ""
    port: int = 80
    refresh_interval: Duration = Duration(60 * _S)


class Azure(_Discovery, frozen=True):
    port: int = 80
    subscription_id: str = ""
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_interval: Duration = Duration(300 * _S)


class Gce(_Discovery, frozen=True):
    project: str = ""
    zone: str = ""
    filter: str = ""
    port: int = 80
    tag_separator: str = ","
    refresh_interval: Duration = Duration(60 * _S)


class Marathon(_TlsDiscovery, frozen=True):
    servers: list[str] = []
    bearer_token: str = ""
    timeout: Duration = Duration(0)
    refresh_interval: Duration = Duration(30 * _S)


class Nerve(_Discovery, frozen=True):
    servers: list[str] = []
    paths: list[str] = []
    timeout: Duration = Duration(10 * _S)


class Serverset(_Discovery, frozen=True):
    servers: list[str] = []
    paths: list[str] = []
    timeout: Duration = Duration(10 * _S)


class Triton(_TlsDiscovery, frozen=True):
    account: str = ""
    dns_suffix: str = ""
    endpoint: str = ""
    port: int = 9163
    version: int = 1
    refresh_interval: Duration = Duration(60 * _S)
