"""Families of TICKscript cases: one module for the kinds of one part of the language.

A family module offers `KINDS`, a mapping from kind to a function that takes the case (the JSON object as it is in the
file) and returns what the product makes of `input`, in the form of `expect`. An error of the product is raised as
`TickscriptError`, or as `CaseError` where the product has another class for it; a further key of the case that does not
hold is raised as `Mismatch`. The runner compares values and error texts. A family that needs something running offers
`family()` instead, a context manager that yields such a mapping; its cases run in the order of the file.
"""
