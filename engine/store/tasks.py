"""Tasks and templates as the user defined them; what runs is the supervisor's (task-master.md §10, http-api.md §7-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from engine.store.repository import Repository

if TYPE_CHECKING:
    from engine.store.database import Database

TaskType: TypeAlias = Literal["stream", "batch"]
TaskStatus: TypeAlias = Literal["enabled", "disabled"]


class DBRP(msgspec.Struct, frozen=True):
    """A database and a retention policy that a task may read."""

    db: str
    rp: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task's definition and its last error. Times are ns since 1970; `last_enabled` is None for never.

    `vars` is {name: {"type", "value", "description"}} in the form of the API; `template_id` is empty for none.
    """

    id: str
    type: TaskType
    script: str
    dbrps: tuple[DBRP, ...] = ()
    vars: dict[str, Any] = msgspec.field(default_factory=dict)
    template_id: str = ""
    status: TaskStatus = "disabled"
    error: str = ""
    created: int
    modified: int
    last_enabled: int | None = None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template's definition."""

    id: str
    type: TaskType
    script: str
    error: str = ""
    created: int
    modified: int


class Tasks(Repository[Task]):
    """Tasks by ID, listed in the order of their IDs' bytes."""

    kind = "task"
    table = "tasks"
    row = Task

    def rename(self, key: tuple[str, ...], item: Task) -> None:
        """As for all families; the association with a template goes along."""
        with self._database.transaction():
            super().rename(key, item)
            if key != (item.id,):
                self._database.execute("DELETE FROM template_tasks WHERE task_id = ?", (item.id,))
                self._database.execute("UPDATE template_tasks SET task_id = ? WHERE task_id = ?", (item.id, *key))

    def delete(self, *key: str) -> bool:
        """Remove a task and its association with a template; whether there was one."""
        with self._database.transaction():
            self._database.execute("DELETE FROM template_tasks WHERE task_id = ?", key)
            return super().delete(*key)

    def set_error(self, task_id: str, error: str) -> bool:
        """Keep the last start or run error (empty: none), which is no modification; whether there is such a task."""
        return self._database.change("UPDATE tasks SET error = ? WHERE id = ?", (error, task_id)) > 0

    def enabled(self) -> list[Task]:
        """The enabled tasks in ID order: what a start of the server starts."""
        rows = self._database.execute(f"{self._select} WHERE status = 'enabled' ORDER BY id")
        return [self.decode(row) for row in rows]

    def count_enabled(self) -> int:
        """How many are enabled."""
        found = self._database.execute("SELECT count(*) FROM tasks WHERE status = 'enabled'").fetchone()
        return int(found[0])


class Templates(Repository[Template]):
    """Templates by ID, and which tasks an update of one reaches."""

    kind = "template"
    table = "templates"
    row = Template
    negative_limit_lists_all = False

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._tasks = Tasks(database)

    def rename(self, key: tuple[str, ...], item: Template) -> None:
        """As for all families; the associations go along."""
        with self._database.transaction():
            super().rename(key, item)
            if key != (item.id,):
                # A template of the new name may have been deleted and have left associations of its own.
                self._database.execute(
                    "UPDATE OR REPLACE template_tasks SET template_id = ? WHERE template_id = ?", (item.id, *key)
                )

    def associate(self, template_id: str, task_id: str) -> None:
        """Have updates of the template reach the task, and those of no other template."""
        with self._database.transaction():
            self._database.execute("DELETE FROM template_tasks WHERE task_id = ?", (task_id,))
            self._database.execute("INSERT INTO template_tasks VALUES (?, ?)", (template_id, task_id))

    def tasks_of(self, template_id: str) -> list[Task]:
        """The tasks that an update of the template reaches, in ID order."""
        rows = self._database.execute(
            "SELECT task_id FROM template_tasks WHERE template_id = ? ORDER BY task_id", (template_id,)
        ).fetchall()
        found = [self._tasks.find(task_id) for (task_id,) in rows]
        return [task for task in found if task is not None]
