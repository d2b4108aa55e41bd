"""How far a segmentation is from the ground truth, from tables that add up over blocks.

Everything is computed from a contingency table (how many voxels each pair of a segment and a
neuron shares), and boundaries from a table of touching fragments. Both add up over blocks, and
their rows merge when segments merge, so that a sweep over thresholds reads the voxels once.
docs/scores.md defines every score.
"""

from fgnet.metrics.contingency import Contingency, Ids, Labels, count, total
from fgnet.metrics.partition import Score, score

__all__ = ["Contingency", "Ids", "Labels", "Score", "count", "score", "total"]
