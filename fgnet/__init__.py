"""fgnet: from an electron-microscopy volume to neurons, one small module per stage."""

__version__ = "0.1.0"
