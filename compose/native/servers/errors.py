"""What goes wrong on the way, said so that its reader can mend it."""


class StackError(Exception):
    """A server cannot be started or stopped; the message says why and what to do."""
