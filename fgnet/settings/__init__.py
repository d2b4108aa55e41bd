"""Every setting of the workflow: type, range, default and description, once.

One file per stage, so that a new key of one stage leaves the code fingerprint of every
other stage alone. :mod:`fgnet.settings.config` puts them together.
"""
