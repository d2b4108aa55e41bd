"""The one exception that means: the user's input is wrong, and here is how to mend it."""


class InputError(Exception):
    """Bad input, told in one sentence: what was wrong, the value seen, what to change.

    The command line (:mod:`fgnet.command`) prints it without a traceback and exits with
    status 2; every other exception is a bug and keeps its traceback.
    """


class Damaged(InputError):
    """A file is not what its place promises; got anew it may be, and a kept copy has to go."""
