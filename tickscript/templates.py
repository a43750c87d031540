"""Templates: scripts with vars left open, from which tasks are made (spec "TICKscript" 6.3).

Always: a template is evaluated with the zero value for every var without value, so that type, vars and graph are known
before any task exists; a task made from it takes script, type and dbrps from it, and only vars of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickscript.compile import compile_script, compile_template
from tickscript.dot import static_dot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.nodes.stats import DeadmanConfig
    from tickscript.nodes.udf import UdfInfo
    from tickscript.pipeline import DBRP, Pipeline
    from tickscript.vars import Var


@dataclass(frozen=True, slots=True)
class Template:
    """A template that compiles. `vars` are those that its script declares, in order, as the API shows them."""

    id: str
    script: str
    pipeline: Pipeline

    @property
    def type(self) -> str:
        """ "stream" or "batch"."""
        return self.pipeline.type

    @property
    def vars(self) -> Mapping[str, Var]:
        return self.pipeline.vars

    @property
    def dbrps(self) -> tuple[DBRP, ...]:
        """What `dbrp` statements name; they count for every task made from the template."""
        return self.pipeline.dbrps

    @property
    def dot(self) -> str:
        return static_dot(self.pipeline, self.id)

    def compile_task(
        self,
        supplied: Mapping[str, Var],
        *,
        udfs: Mapping[str, UdfInfo] | None = None,
        deadman: DeadmanConfig | None = None,
    ) -> Pipeline:
        """The pipeline of a task made from the template; TickscriptError as `compile_script` raises it."""
        return compile_script(self.script, self.type, vars=supplied, udfs=udfs, deadman=deadman)


def read_template(
    id: str,  # noqa: A002  (the word of the API)
    script: str,
    *,
    udfs: Mapping[str, UdfInfo] | None = None,
    deadman: DeadmanConfig | None = None,
) -> Template:
    """The template of a script; TickscriptError (`tickscript.compile.api_text` gives the API's text) if it is none."""
    return Template(id, script, compile_template(script, udfs=udfs, deadman=deadman))


def vars_after_update(stored: Mapping[str, Var], sent: Mapping[str, Var]) -> Mapping[str, Var]:
    """The vars of a task after a PATCH: the whole set is replaced if at least one is sent."""
    return sent or stored
