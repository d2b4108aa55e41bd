"""Processors that this process may use."""

import logging
import os

LOG = logging.getLogger(__name__)


def threads(wanted: int) -> int:
    """As many threads as are wanted, and no more than there are processors for this process.

    More would wait for each other: torch's threads spin at the end of every loop that they share.
    """
    # taskset, Slurm and container engines leave a process fewer processors than the machine has
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if wanted > (there or 1):
        LOG.info("%d threads are asked for, and %d are used: processors here", wanted, there or 1)
    return max(1, min(wanted, there or 1))
