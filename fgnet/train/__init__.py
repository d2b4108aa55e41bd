"""The stage train: training volumes to a checkpoint and the history of its making."""
