"""Lambda expressions over sections: column functions specialised by types.

`tickscript.lambdas` decides what an expression means; here it is made fast. A property test holds the two equal.
"""
