"""The rules by which tasks and templates are defined, changed and shown (spec "HTTP API" §7-12). No I/O."""
