"""The formats that a layer of a volume may lie in, a module each; `open` finds out which."""
