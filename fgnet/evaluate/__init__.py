"""Scores of segmentations against ground truth, and the threshold chosen from them."""
