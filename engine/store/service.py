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
from engine.store import AlreadyExists, Page, Store
from tickscript import plan
from tickscript.compile import api_text, compile_script
from tickscript.dot import static_dot
from tickscript.errors import TickscriptError
from tickscript.formatter import format_script
from tickscript.vars import decode_vars, encode_vars

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.store.tasks import Task, Template

_CACHED_SCRIPTS = 256


@lru_cache(maxsize=_CACHED_SCRIPTS)
def formatted(script: str) -> str:
    """The script as it is shown; the raw text where it cannot be formatted."""
    try:
        return format_script(script)
    except TickscriptError:
        return script


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
                "template_create",
                "template_get",
                "template_list",
                "template_patch",
                "template_delete",
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

    def task_list(self, pattern: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """A page of tasks in the order of their IDs."""
        return [self._shown(t) for t in self._store.tasks.list(Page(pattern, offset, limit))]

    def task_patch(self, id: str, body: bytes) -> dict[str, Any]:  # noqa: A002
        request = rules.read_request(body)
        stored = self._task(id, "task does not exist, cannot update")
        task, pipeline = rules.change(stored, request, self._now(), self._store.templates.find)
        try:
            with self._store.database.transaction():
                self._store.tasks.rename((stored.id,), task)
                if request.template_id and not stored.template_id:
                    self._store.templates.associate(task.template_id, task.id)
        except AlreadyExists:
            text = "failed to create new task during ID change: object already exists"
            raise RefusedError(500, text) from None
        return {"task": self._shown(task), "actions": self._patch_actions(stored, task, pipeline)}

    def _patch_actions(self, stored: Task, task: Task, pipeline: Any) -> list[Any]:
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
        self._store.tasks.set_error(id, error)

    def enabled_tasks(self, after: str, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` enabled tasks with an ID above `after`: what the supervisor starts with."""
        out: list[dict[str, Any]] = []
        for task in self._store.tasks.enabled():
            if task.id <= after:
                continue
            if len(out) == limit:
                break
            try:
                pipeline = compile_script(task.script, vars=decode_vars(task.vars))
            except TickscriptError as error:
                out.append({"id": task.id, "error": api_text(error)})
                continue
            self._store.tasks.set_error(task.id, "")
            out.append(self._start(task, pipeline)[2])
        return out

    def _task(self, identity: str, missing: str) -> Task:
        task = self._store.tasks.find(identity)
        if task is None:
            raise RefusedError(404, missing)
        return task

    @staticmethod
    def _start(task: Task, pipeline: Any) -> list[Any]:
        definition = {"id": task.id, "plan": plan.encode(pipeline), "dbrps": msgspec.to_builtins(task.dbrps)}
        return ["start", task.id, definition]

    def _shown(self, task: Task) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(task)
        out["formatted"] = formatted(task.script)
        out["compile_error"] = ""
        out["dot"] = ""
        try:
            supplied = decode_vars(task.vars)
            out["vars"] = encode_vars(supplied)
            out["dot"] = static_dot(compile_script(task.script, vars=supplied), task.id)
        except TickscriptError as error:
            out["compile_error"] = api_text(error)
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
        """Store the template, then carry its tasks along, each or none of them (spec "HTTP API" §12)."""
        request = template_rules.read_request(body)
        stored = self._template(id, "template does not exist, cannot update")
        template = template_rules.change(stored, request, self._now())
        try:
            self._store.templates.rename((stored.id,), template)
        except AlreadyExists:
            text = "failed to create new template for ID change: template already exists"
            raise RefusedError(500, text) from None
        actions: list[Any] = []
        updated: list[Task] = []
        for task in self._store.templates.tasks_of(template.id):
            try:
                new, start = self._carried(task, template)
            except RefusedError as error:
                raise RefusedError(500, f"error reloading associated task {task.id}: {error}") from None
            updated.append(new)
            if start is not None:
                actions += [["stop", task.id], start]
        with self._store.database.transaction():
            for task in updated:
                self._store.tasks.update(task)
        return {"template": self._shown_template(template), "actions": actions}

    def _carried(self, task: Task, template: Template) -> tuple[Task, list[Any] | None]:
        """The task with the template's new script, and how it is started if it is enabled."""
        changed = msgspec.structs.replace(task, script=template.script, type=template.type, template_id=template.id)
        if task.status != "enabled":
            return changed, None
        pipeline = rules.compile_task(template.script, decode_vars(task.vars))
        named = tuple(rules.DBRP(d.db, d.rp) for d in pipeline.dbrps)
        changed = msgspec.structs.replace(changed, dbrps=named or task.dbrps, error="")
        return changed, self._start(changed, pipeline)

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
