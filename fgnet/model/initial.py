"""Random weights of the same bits on every processor.

torch draws numbers by the instructions of the processor at hand, so that one seed gives other
weights on another machine. NumPy's generator gives the same bits everywhere.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN: Any = torch.ops.aten


class DrawnByNumpy(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context in which tensors that torch fills at random are filled from NumPy's generator.

    Raises:
        NotImplementedError: torch draws in another way than ``uniform_`` and ``normal_`` do.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.random = np.random.default_rng(seed)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch, or fill its tensor here if it is one that draws."""
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        if kwargs:  # a generator of torch's own
            raise NotImplementedError(f"{func} with {', '.join(kwargs)}")
        if func is ATEN.uniform_.default:
            return self.uniform(*args)
        if func is ATEN.normal_.default:
            return self.normal(*args)
        raise NotImplementedError(f"weights that {func} draws would differ between processors")

    def uniform(self, tensor: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Fill a tensor with numbers between two others."""
        drawn = self.random.random(tuple(tensor.shape), np.float32)
        return tensor.copy_(torch.from_numpy(drawn * np.float32(high - low) + np.float32(low)))

    def normal(self, tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
        """Fill a tensor with numbers of a normal distribution."""
        drawn = self.random.standard_normal(tuple(tensor.shape), np.float32)
        return tensor.copy_(torch.from_numpy(drawn * np.float32(std) + np.float32(mean)))
