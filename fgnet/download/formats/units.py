"""Units of length as files spell them, in nm."""

NANOMETRES = {
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "Å": 0.1, "angstrom": 0.1,
    "pm": 1e-3, "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3, "micrometer": 1e3,
    "micrometre": 1e3, "mm": 1e6, "millimeter": 1e6,
}  # fmt: skip
