"""Events through one topic: `python -m tests.bench.bench_alerts [WORKLOAD...] [--events N] [--url URL]`.

A server of its own is started (or the one at URL asked) with one alert task; points are written as fast as they are taken,
and the clock stops when the topic's `collected` has them all: so from the socket through the alert node, its link, the
alert service and the first group commits. Every point is an event: CRITICAL each time (`every`), or CRITICAL and OK in turn
(`flips`), or CRITICAL for a log handler on the topic as well (`handler`). One JSON object a workload on standard output.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import httpx

from tests.harness import API, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS: Final = 1000
BODY: Final = 5000
SECOND: Final = 1_000_000_000
START: Final = 1_700_000_000 * SECOND
PATIENCE_S: Final = 300.0
LAMBDAS: Final = {
    "every": "crit(lambda: TRUE)",
    "flips": 'crit(lambda: "usage_user" > 50.0).stateChangesOnly()',
    "handler": "crit(lambda: TRUE)",
}


def bodies(events: int) -> Iterator[bytes]:
    """Telegraf-like points: each host in turn, its value above and below 50 in turn."""
    lines = []
    for i in range(events):
        step, host = divmod(i, HOSTS)
        value = 10.5 if step % 2 else 90.5
        lines.append(
            f"cpu,cpu=cpu{host % 8},host=server{host:05d},region=eu usage_user={value},usage_system=1.5,n={i}i "
            f"{START + step * SECOND}"
        )
        if len(lines) == BODY:
            yield "\n".join(lines).encode()
            lines = []
    if lines:
        yield "\n".join(lines).encode()


def run(client: httpx.Client, name: str, events: int) -> dict[str, Any]:
    """One workload."""
    task, topic = f"bench_alerts_{name}", f"bench-{time.time_ns()}"
    script = (
        "stream|from().measurement('cpu').groupBy('host')|alert().id('{{ index .Tags \"host\" }}')"
        f".message('{{{{ .ID }}}} is {{{{ .Level }}}}').details('').{LAMBDAS[name]}.topic('{topic}')"
    )
    data = list(bodies(events))
    if name == "handler":
        spec = {"id": "log", "kind": "log", "options": {"path": "/dev/null"}}
        _call(client, "POST", f"/alerts/topics/{topic}/handlers", spec)
    _call(
        client, "POST", "/tasks",
        {"id": task, "type": "stream", "dbrps": [{"db": "bench", "rp": "rp"}], "script": script, "status": "enabled"},
    )  # fmt: skip
    started = time.perf_counter()
    for body in data:
        answer = client.post(f"{API}/write", params={"db": "bench", "rp": "rp"}, content=body)
        answer.raise_for_status()
    accepted = time.perf_counter() - started
    collected, deadline = 0, started + PATIENCE_S
    while collected < events and time.perf_counter() < deadline:
        time.sleep(0.01)
        answer = client.get(f"{API}/alerts/topics/{topic}")
        collected = answer.json()["collected"] if answer.is_success else 0
    spent = time.perf_counter() - started
    _call(client, "DELETE", f"/tasks/{task}")
    _call(client, "DELETE", f"/alerts/topics/{topic}")
    return {
        "workload": name, "events": collected, "seconds": round(spent, 3), "accepted_s": round(accepted, 3),
        "events_per_s": round(collected / spent) if collected == events else None,
    }  # fmt: skip


def _call(client: httpx.Client, method: str, path: str, body: Any = None) -> None:
    client.request(method, API + path, json=body).raise_for_status()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help=", ".join(LAMBDAS))
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--url", help="a running server instead of one of its own")
    given = parser.parse_args()
    with ExitStack() as stack:
        url = given.url or stack.enter_context(Server()).url
        client = stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False))
        for name in given.workload or LAMBDAS:
            for _ in range(given.runs):
                print(json.dumps(run(client, name, given.events)), flush=True)


if __name__ == "__main__":
    main()
