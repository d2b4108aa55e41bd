"""The numbers and texts in a file that ``torch.save`` wrote, read without torch.

Torch takes seconds to import. This reader knows the few instructions of a pickle that a checkpoint
is made of and follows them itself: no name in the file is imported and nothing of it is called.
Whatever else it meets it leaves to torch, which reads it or says what is wrong.
"""

import math
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DICT, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
SIZES = {
    f"torch {name}Storage": size
    for name, size in {"Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4,
                       "Short": 2, "Char": 1, "Byte": 1, "Bool": 1}.items()
}  # fmt: skip
PLAIN = ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MARK = object()


@dataclass(frozen=True)
class Named:
    """A name of Python's or of torch's in the file."""

    name: str


@dataclass(frozen=True)
class Tensor:
    """Stands for a tensor, or for the numbers that it is a part of."""

    count: int


def read(path: Path) -> Any:
    """The content, :class:`Tensor` for tensors; None where it is for torch to say."""
    try:
        with zipfile.ZipFile(path) as file:
            parts = file.infolist()
            sizes = {part.filename: part.file_size for part in parts}
            (main,) = (name for name in sizes if name.endswith("/data.pkl"))
            whole = main.removesuffix("data.pkl")
            torchs = f"{whole}version" in sizes and all(name.startswith(whole) for name in sizes)
            # nothing is expanded, or read twice
            plain = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
            if len(sizes) < len(parts) or sum(sizes.values()) > path.stat().st_size:
                return None
            if not torchs or not plain:
                return None
            return followed(file.read(main), sizes, f"{whole}data")
    except Exception:  # damaged in one of many ways, or of another kind
        return None


def followed(pickled: bytes, sizes: dict[str, int], folder: str) -> Any:
    """The content that the instructions of a pickle make.

    Args:
        sizes: bytes of each part of the file.
        folder: of the parts that hold the numbers of tensors.

    Raises:
        Exception: of many kinds, where they are not those of a checkpoint.
    """
    stack: list[Any] = []
    memory: dict[int, Any] = {}
    argument: Any

    def marked() -> list[Any]:
        start = next(n for n in reversed(range(len(stack))) if stack[n] is MARK)
        found = stack[start + 1 :]
        del stack[start:]
        return found

    for instruction, argument, _ in pickletools.genops(pickled):
        name = instruction.name
        if name in PLAIN:
            stack.append(argument)
        elif name in VALUES:
            stack.append(VALUES[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name == "MARK":
            stack.append(MARK)
        elif name in ("BINPUT", "LONG_BINPUT"):
            memory[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memory[argument])
        elif name == "TUPLE":
            stack.append(tuple(marked()))
        elif name in TUPLES:
            stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
        elif name in ("APPEND", "APPENDS"):
            several = marked() if name == "APPENDS" else [stack.pop()]
            stack[-1].extend(several)
        elif name in ("SETITEM", "SETITEMS"):
            several = marked() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            stack[-1].update(zip(several[::2], several[1::2], strict=True))
        elif name == "GLOBAL":
            stack.append(Named(argument))
        elif name == "BINPERSID":
            what, kind, key, _, count = stack.pop()
            if what != "storage" or sizes[f"{folder}/{key}"] != count * SIZES[kind.name]:
                raise ValueError(f"{key!r} has another size than it should")
            stack.append(Tensor(count))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(made(function.name, arguments))
        elif name == "STOP":
            (content,) = stack
            return content
        elif name != "PROTO":
            raise ValueError(f"{name} stands in no checkpoint")
    raise ValueError("it has no end")


def made(function: str, arguments: tuple[Any, ...]) -> Any:
    """Stands for what one of the two functions gives that a checkpoint calls."""
    if function == DICT and arguments == ():
        return {}
    if function != TENSOR:
        raise ValueError(f"{function} is called in no checkpoint")
    numbers, offset, shape, strides = arguments[:4]
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or (math.prod(shape) and last >= numbers.count):
        raise ValueError("a tensor reaches beyond its numbers")
    return Tensor(math.prod(shape))
