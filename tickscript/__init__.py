"""TICKscript as a library: parse, check, evaluate, format and draw scripts without an engine."""
