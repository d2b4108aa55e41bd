"""Units of length as files spell them, in nm."""

import unicodedata

NANOMETRES = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "å": 0.1, "angstrom": 0.1,
    "pm": 1e-3, "picometer": 1e-3, "um": 1e3, "μm": 1e3, "micron": 1e3, "micrometer": 1e3,
    "micrometre": 1e3, "mm": 1e6, "millimeter": 1e6, "meter": 1e9,
}  # fmt: skip


def nanometres(unit: object) -> float | None:
    """Length of a unit in nm, or None for what is no length known here."""
    # one letter for the two that look like µ, and for the two that look like Å
    text = unicodedata.normalize("NFKC", str(unit)).lower()
    return NANOMETRES.get(text, NANOMETRES.get(text.removesuffix("s")))
