"""Go's text/template, as far as URLs, row templates and alerts need it: `parse` once, `render` often."""

from engine.templates.errors import ExecutionError, ParseError, TemplateError
from engine.templates.template import Template, parse
from engine.templates.values import Struct, TextMap

__all__ = ["ExecutionError", "ParseError", "Struct", "Template", "TemplateError", "TextMap", "parse"]
