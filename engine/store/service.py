"""What the store process does for others: every operation commits first and says what the supervisor must do then.

Operations take and give plain values (docs/control-protocol.md, "store"). A refused request raises RefusedError. What
compiles TICKscript is here too, so that neither the front ends nor the supervisor ever wait for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from engine.definitions import tasks as rules
from engine.definitions import templates as template_rules
from engine.definitions.bodies import RefusedError
from engine.store import AlreadyExists, EventState, Handler, Page, Store
from tickscript import plan
from tickscript.compile import api_text, compile_script
from tickscript.dot import static_dot
from tickscript.errors import TickscriptError
from tickscript.formatter import format_script
from tickscript.nodes.base import StartError
from tickscript.nodes.outputs import KapacitorLoopback
from tickscript.vars import decode_vars

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.tasks import Task, Template
    from tickscript.pipeline import Pipeline

_CACHED_SCRIPTS = 1024
# What a task has from its template.
_FOLLOWS = ("id", "script", "type", "template_id", "dbrps")


def _definition(task: Task, pipeline: Pipeline) -> dict[str, Any]:
    """What start_task takes."""
    return {"id": task.id, "plan": plan.encode(pipeline), "dbrps": msgspec.to_builtins(task.dbrps)}


def _cannot_start(task: Task, pipeline: Pipeline) -> str:
    """What refuses the start of a task that compiles, as far as its definition alone can tell; else empty."""
    if not task.dbrps:
        return rules.NO_DBRPS
    dbrps = [(d.db, d.rp) for d in task.dbrps]
    try:
        pipeline.check_start()
        for node in pipeline.nodes:
            if isinstance(node, KapacitorLoopback):
                node.check_loop(dbrps)
    except StartError as error:
        return str(error)
    return ""


@lru_cache(maxsize=_CACHED_SCRIPTS)
def formatted(script: str) -> str:
    """The script as it is shown; the raw text where it cannot be formatted."""
    try:
        return format_script(script)
    except TickscriptError:
        return script


@lru_cache(maxsize=_CACHED_SCRIPTS)
def drawn(identity: str, script: str, supplied: bytes) -> tuple[str, str]:
    """The static DOT of a task with these vars (JSON), or empty; and the error why it does not compile, or empty."""
    try:
        return static_dot(compile_script(script, vars=decode_vars(msgspec.json.decode(supplied))), identity), ""
    except TickscriptError as error:
        return "", api_text(error)


class StoreService:
    """The operations, by name."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self.operations: dict[str, Callable[..., Any]] = {
            name: getattr(self, name)
            for name in (
                "ping",
                "identities",
                "task_create",
                "task_get",
                "task_list",
                "task_patch",
                "task_delete",
                "task_error",
                "enabled_tasks",
                "counts",
                "template_create",
                "template_get",
                "template_list",
                "template_patch",
                "template_undo",
                "template_delete",
                "handlers_all",
                "handler_create",
                "handler_update",
                "handler_delete",
                "events_all",
                "events_commit",
                "events_forget",
            )
        }

    def ping(self) -> None:
        """The store is there."""

    def identities(self) -> dict[str, str]:
        return {"cluster": self._store.identities.get("cluster"), "server": self._store.identities.get("server")}

    # ------------------------------------------------------------------ tasks

    def task_create(self, body: bytes) -> dict[str, Any]:
        request = rules.read_request(body)
        task, pipeline = rules.create(
            request, self._now(), lambda i: self._store.tasks.find(i) is not None, self._store.templates.find
        )
        with self._store.database.transaction():
            self._store.tasks.create(task)
            if task.template_id:
                self._store.templates.associate(task.template_id, task.id)
        actions = [self._start(task, pipeline)] if task.status == "enabled" else []
        return {"task": self._shown(task), "actions": actions}

    def task_get(self, id: str) -> dict[str, Any]:  # noqa: A002 - the word of the API
        """The task as stored, with what its script gives: formatted text, static DOT, or the compile error."""
        return self._shown(self._task(id, "no task exists"))

    def task_list(self, pattern: str, offset: int, limit: int, fields: list[str]) -> list[dict[str, Any]]:
        """A page of tasks in the order of their IDs; scripts are formatted and compiled only if `fields` need it."""
        found = self._store.tasks.list(Page(pattern, offset, limit))
        return [self._shown(t, script="script" in fields, dot="dot" in fields) for t in found]

    def task_patch(self, id: str, body: bytes) -> dict[str, Any]:  # noqa: A002
        request = rules.read_request(body)
        stored = self._task(id, "task does not exist, cannot update")
        task, pipeline = rules.change(stored, request, self._now(), self._store.templates.find)
        try:
            with self._store.database.transaction():
                self._store.tasks.rename((stored.id,), task)
                if request.template_id and request.template_id != stored.template_id:
                    self._store.templates.associate(task.template_id, task.id)
        except AlreadyExists:
            text = "failed to create new task during ID change: object already exists"
            raise RefusedError(500, text) from None
        return {"task": self._shown(task), "actions": self._patch_actions(stored, task, pipeline)}

    def _patch_actions(self, stored: Task, task: Task, pipeline: Pipeline) -> list[Any]:
        was, now = stored.status == "enabled", task.status == "enabled"
        renamed = stored.id != task.id
        actions: list[Any] = []
        if was and (renamed or not now):
            actions.append(["stop", stored.id])
        if now and (renamed or not was):
            actions.append(self._start(task, pipeline))
        return actions

    def task_delete(self, id: str) -> dict[str, Any]:  # noqa: A002
        task = self._store.tasks.find(id)
        if task is None:
            return {"actions": []}
        self._store.tasks.delete(id)
        return {"actions": [["stop", id], ["deleted", id]] if task.status == "enabled" else [["stop", id]]}

    def task_error(self, id: str, error: str) -> None:  # noqa: A002
        """Keep why a task does not execute; empty when it does."""
        self._store.tasks.set_error(id, error)

    def enabled_tasks(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` enabled tasks with an ID above `after`: what the supervisor starts with.

        Each is the definition that start_task takes, or `{"id", "error"}`; errors of an earlier run are forgotten.
        """
        page = [task for task in self._store.tasks.enabled() if task.id > after][:limit]
        out: list[dict[str, Any]] = []
        with self._store.database.transaction():
            for task in page:
                entry = self._startable(task)
                error = entry.get("error", "")
                if error != task.error:
                    self._store.tasks.set_error(task.id, error)
                out.append(entry)
        return out

    def _startable(self, task: Task) -> dict[str, Any]:
        try:
            pipeline = compile_script(task.script, vars=decode_vars(task.vars))
        except TickscriptError as error:
            return {"id": task.id, "error": api_text(error)}
        refused = _cannot_start(task, pipeline)
        return {"id": task.id, "error": refused} if refused else _definition(task, pipeline)

    def counts(self) -> dict[str, int]:
        """How many tasks there are, and how many of them are enabled."""
        return {"tasks": self._store.tasks.count(), "enabled": self._store.tasks.count_enabled()}

    def _task(self, identity: str, missing: str) -> Task:
        task = self._store.tasks.find(identity)
        if task is None:
            raise RefusedError(404, missing)
        return task

    def _start(self, task: Task, pipeline: Pipeline) -> list[Any]:
        """The action that starts a task, or says why it cannot start."""
        error = _cannot_start(task, pipeline)
        if not error:
            return ["start", task.id, _definition(task, pipeline)]
        self._store.tasks.set_error(task.id, error)
        return ["fail", task.id, error]

    @staticmethod
    def _shown(task: Task, *, script: bool = True, dot: bool = True) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(task)
        out["formatted"] = formatted(task.script) if script else ""
        out["dot"], out["compile_error"] = "", ""
        if dot:
            out["dot"], out["compile_error"] = drawn(task.id, task.script, msgspec.json.encode(task.vars))
        return out

    # ------------------------------------------------------------------ templates

    def template_create(self, body: bytes) -> dict[str, Any]:
        request = template_rules.read_request(body)
        template = template_rules.create(request, self._now(), lambda i: self._store.templates.find(i) is not None)
        self._store.templates.create(template)
        return template_rules.shown(template, formatted(template.script))

    def template_get(self, id: str) -> dict[str, Any]:  # noqa: A002
        return self._shown_template(self._template(id, "no template exists"))

    def template_list(self, pattern: str, offset: int, limit: int) -> list[dict[str, Any]]:
        return [self._shown_template(t) for t in self._store.templates.list(Page(pattern, offset, limit))]

    def template_patch(self, id: str, body: bytes) -> dict[str, Any]:  # noqa: A002
        """Store the template, then carry its tasks along: all of them, or none (spec "HTTP API" §12).

        When a task does not compile with it the template stays changed, as in the reference. When one does not start,
        template_undo takes `undo`.
        """
        request = template_rules.read_request(body)
        stored = self._template(id, "template does not exist, cannot update")
        template = template_rules.change(stored, request, self._now())
        try:
            self._store.templates.rename((stored.id,), template)
        except AlreadyExists:
            text = "failed to create new template for ID change: template already exists"
            raise RefusedError(500, text) from None
        before = self._store.templates.tasks_of(template.id)
        after = [rules.follow(task, template) for task in before]
        actions: list[Any] = []
        with self._store.database.transaction():
            for task, pipeline in after:
                self._store.tasks.update(task)
                if pipeline is not None:
                    actions += [["stop", task.id], self._start(task, pipeline)]
        undo = [
            {"new": t.script, **{k: plain[k] for k in _FOLLOWS}}
            for (t, _), plain in zip(after, map(msgspec.to_builtins, before), strict=True)
        ]
        return {"template": self._shown_template(template), "actions": actions, "undo": undo}

    def template_undo(self, undo: list[dict[str, Any]], started: list[str]) -> dict[str, Any]:
        """Give tasks back what template_patch took from them; those in `started` are to be started again.

        A task that somebody has changed meanwhile is left alone.
        """
        actions: list[Any] = []
        with self._store.database.transaction():
            for old in undo:
                task = self._store.tasks.find(old["id"])
                if task is None or task.script != old["new"]:
                    continue
                given = {k: old[k] for k in _FOLLOWS}
                task = msgspec.convert({**msgspec.to_builtins(task), **given}, type(task))
                self._store.tasks.update(task)
                if task.id in started and task.status == "enabled":
                    entry = self._startable(task)
                    error = entry.get("error", "")
                    self._store.tasks.set_error(task.id, error)
                    actions += [["stop", task.id], ["fail", task.id, error] if error else ["start", task.id, entry]]
        return {"actions": actions}

    def template_delete(self, id: str) -> None:  # noqa: A002
        self._store.templates.delete(id)

    def _template(self, identity: str, missing: str) -> Template:
        template = self._store.templates.find(identity)
        if template is None:
            raise RefusedError(404, missing)
        return template

    @staticmethod
    def _shown_template(template: Template) -> dict[str, Any]:
        return template_rules.shown(template, formatted(template.script))

    # ------------------------------------------------------------------ alerts

    def handlers_all(self) -> list[Handler]:
        """Every topic handler, by topic and ID."""
        return self._store.handlers.all()

    def handler_create(self, spec: dict[str, Any]) -> None:
        """Refused with 500 when the topic has a handler of that ID."""
        handler = msgspec.convert(spec, Handler)
        try:
            self._store.handlers.create(handler)
        except AlreadyExists:
            raise RefusedError(500, already_registered(handler.id)) from None

    def handler_update(self, id: str, spec: dict[str, Any]) -> None:  # noqa: A002
        """Replace the handler `id` of the topic; it may get another ID that is free."""
        handler = msgspec.convert(spec, Handler)
        try:
            self._store.handlers.rename((handler.topic, id), handler)
        except AlreadyExists:
            raise RefusedError(500, already_registered(handler.id)) from None

    def handler_delete(self, topic: str, id: str) -> None:  # noqa: A002
        """Also when there is none."""
        self._store.handlers.delete(topic, id)

    def events_all(self) -> list[EventState]:
        """Every event state whose level is not OK."""
        return self._store.event_states.all()

    def events_commit(self, events: list[list[Any]]) -> None:
        """Take over the latest states of IDs, each as the members of EventState in order; those of level OK go."""
        self._store.event_states.commit_rows(events)

    def events_forget(self, topic: str = "", prefix: str = "") -> None:
        """Forget the states of a topic, or of all topics that begin with `prefix`."""
        if topic:
            self._store.event_states.delete_topic(topic)
        if prefix:
            self._store.event_states.delete_prefix(prefix)


def already_registered(handler: str) -> str:
    return f'cannot register handler, handler with ID "{handler}" already exists'
