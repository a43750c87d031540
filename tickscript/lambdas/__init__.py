"""Lambda expressions: values, operators, functions, and the reference interpreter that decides what they mean.

Everything here is row by row and knows nothing of frames; `engine.lambdas` compiles the same tables to column
functions, and a property test holds the two equal. Spec "TICKscript and lambda expressions", sections 4 and 5.
"""
