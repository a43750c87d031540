"""The node kinds of TICKscript: one declaration each, from which everything else about the kind is derived."""
