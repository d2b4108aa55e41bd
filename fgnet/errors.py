"""The one exception that means: the user's input is wrong, and here is how to mend it."""

import re

SECRETS = re.compile(r"""(?<=//)[^/?#\s'"]*@|(?<=\?)(?=\S*=|\S{16})[^\s'"()<>]+""")


class InputError(Exception):
    """Bad input, told in one sentence: what was wrong, the value seen, what to change.

    The command line (:mod:`fgnet.command`) prints it without a traceback and exits with
    status 2; every other exception is a bug and keeps its traceback.
    """


class Damaged(InputError):
    """A file is not what its place promises; got anew it may be, and a kept copy has to go."""


def public(words: object) -> str:
    """What a library says, without the users, passwords and queries of addresses in it."""
    return SECRETS.sub("…", str(words))
