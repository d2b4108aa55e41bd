"""Turn probabilities of classes into masks as image files."""
