"""One module a library that is measured: `ACTIONS` makes, by name, what is timed.

What an action needs before the clock starts is loaded when it is made; called, it returns the columns that it
found drifted. A module runs in its library's own environment, so of this project the others know nothing.
"""
