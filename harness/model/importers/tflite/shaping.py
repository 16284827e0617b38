# SPDX-License-Identifier: Apache-2.0
"""TFLite's operators that move, cut and join.

Where the converter states an output's shape, that is taken, and what merely computes a shape is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.errors import ModelError
from harness.model.importers.tflite.taking import take
from harness.model.importers.tflite.translation import Translation


def pad(t: Translation) -> str:
    rank, widths = len(t.shape()), t.numbers(1)
    if len(widths) != 2 * rank or min(widths, default=0) < 0:
        raise ModelError(f"{t.operator.kind} pads {rank} axes by {widths}.")
    value = float(t.weights(2).reshape(-1)[0]) if t.operator.kind == "PADV2" else 0.0
    return t.emit("pad", (t.operand(0),), before=widths[::2], after=widths[1::2], value=value)


def reshape(t: Translation) -> str:
    """To the shape that the file states; where it leaves one size open, to the size that is left."""
    shape, left = t.declared(), t.container.tensors[t.operator.outputs[0]].open
    if len(left) == 1:
        (axis,) = left
        known = math.prod(size for at, size in enumerate(shape) if at != axis)
        shape = (*shape[:axis], math.prod(t.shape()) // max(known, 1), *shape[axis + 1 :])
    return t.emit("reshape", (t.operand(0),), shape=shape)


def transpose(t: Translation) -> str:
    return t.emit("transpose", (t.operand(0),), permutation=t.numbers(1))


def concatenation(t: Translation) -> str:
    operands = tuple(t.operand(i) for i in range(len(t.operator.inputs)))
    axis = t.axis(t.option("Axis"), len(t.shape()))
    return t.activated(operands[0] if len(operands) == 1 else t.emit("concat", operands, axis=axis))


def pack(t: Translation) -> str:
    shape = t.declared()
    axis = t.axis(t.option("Axis"), len(shape))
    thin = (*shape[:axis], 1, *shape[axis + 1 :])
    count = len(t.operator.inputs)
    slabs = tuple(t.emit("reshape", (t.operand(i),), part=f"slab{i}", shape=thin) for i in range(count))
    return t.emit("concat", slabs, axis=axis)


def unpack(t: Translation) -> list[str]:
    axis = t.axis(t.option("Axis"), len(t.shape()))
    slabs = _cut(t, t.operand(0), axis, [1] * len(t.operator.outputs))
    return [t.emit("reshape", (slab,), part=f"flat{i}", shape=t.declared(i)) for i, slab in enumerate(slabs)]


def split(t: Translation) -> list[str]:
    rank, count = len(t.shape(1)), len(t.operator.outputs)
    axis = t.axis(_one(t, 0), rank)
    return _cut(t, t.operand(1), axis, [t.shape(1)[axis] // count] * count)


def split_v(t: Translation) -> list[str]:
    axis, sizes = t.axis(_one(t, 2), len(t.shape())), t.numbers(1)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = t.shape()[axis] - sum(sizes) - 1
    if len(sizes) != len(t.operator.outputs):
        raise ModelError(f"SPLIT_V has {len(sizes)} sizes for {len(t.operator.outputs)} outputs.")
    return _cut(t, t.operand(0), axis, sizes)


def _one(t: Translation, position: int) -> int:
    numbers = t.numbers(position)
    if len(numbers) != 1:
        raise ModelError(f"{t.operator.kind} wants one number as its input {position}, not {numbers}.")
    return numbers[0]


def _cut(t: Translation, x: str, axis: int, sizes: list[int]) -> list[str]:
    shape, begin, parts = t.graph.shape(x), 0, []
    for i, size in enumerate(sizes):
        start = [begin if at == axis else 0 for at in range(len(shape))]
        piece = (*shape[:axis], size, *shape[axis + 1 :])
        parts.append(t.emit("slice", (x,), part=str(i), begin=start, step=[1] * len(shape), shape=piece))
        begin += size
    return parts


def slice_(t: Translation) -> str:
    shape, begin = t.shape(), t.numbers(1)
    given = t.operator.inputs[2] if len(t.operator.inputs) > 2 else None
    computed = given is not None and t.container.tensors[given].data is None
    sizes = list(t.declared()) if computed else t.numbers(2)
    if not len(shape) == len(begin) == len(sizes):
        raise ModelError(f"SLICE begins at {begin} and takes {sizes} of {list(shape)}.")
    taken = tuple(full - b if size == -1 else size for full, b, size in zip(shape, begin, sizes, strict=True))
    return t.emit("slice", (t.operand(0),), begin=begin, step=[1] * len(shape), shape=taken)


def strided_slice(t: Translation) -> str:
    shape, begin, end, step = t.shape(), t.numbers(1), t.numbers(2), t.numbers(3)
    axes = _axes_of_entries(t, len(begin), len(shape))
    if not len(begin) == len(end) == len(step) or max(axes.values(), default=0) >= len(shape) or not all(step):
        raise ModelError(f"STRIDED_SLICE takes {begin} to {end} in steps of {step} of {list(shape)}.")
    starts, counts, steps = [0] * len(shape), list(shape), [1] * len(shape)
    backwards: list[int] = []
    for at, axis in axes.items():
        single = t.option("ShrinkAxisMask") >> at & 1
        lowest = None if t.option("BeginMask") >> at & 1 and not single else begin[at]
        highest = None if t.option("EndMask") >> at & 1 else end[at]
        wanted = range(shape[axis])[slice(lowest, highest, step[at])]
        if single:
            wanted = range(begin[at] % shape[axis], begin[at] % shape[axis] + 1)
        elif step[at] < 0:
            wanted = wanted[::-1]
            backwards.append(axis)
        starts[axis], counts[axis], steps[axis] = wanted[0] if wanted else 0, len(wanted), wanted.step
    piece = t.emit("slice", (t.operand(0),), begin=starts, step=steps, shape=tuple(counts))
    for axis in backwards:
        piece = take(t, piece, axis, range(counts[axis])[::-1], "turned")
    return piece if tuple(counts) == t.declared() else t.emit("reshape", (piece,), part="flat", shape=t.declared())


def _axes_of_entries(t: Translation, count: int, rank: int) -> dict[int, int]:
    """The axis that each entry of a STRIDED_SLICE speaks of: an ellipsis stands for several, a new axis for none."""
    ellipsis, new = t.option("EllipsisMask"), t.option("NewAxisMask")
    given = sum(not (ellipsis | new) >> at & 1 for at in range(count))
    axes, axis = {}, 0
    for at in range(count):
        if ellipsis >> at & 1:
            axis += rank - given
        elif not new >> at & 1:
            axes[at] = axis
            axis += 1
    return axes


def space_to_depth(t: Translation) -> str:
    n, height, width, channels = t.image()
    block = _block(t, height, width)
    blocks = (n, height // block, block, width // block, block, channels)
    apart = t.emit("reshape", (t.operand(0),), part="blocks", shape=blocks)
    turned = t.emit("transpose", (apart,), part="turned", permutation=(0, 1, 3, 2, 4, 5))
    return t.emit("reshape", (turned,), shape=(n, height // block, width // block, block * block * channels))


def depth_to_space(t: Translation) -> str:
    n, height, width, channels = t.image()
    block = t.option("BlockSize")
    if block < 1 or channels % (block * block):
        raise ModelError(f"DEPTH_TO_SPACE by {block} does not divide {channels} channels.")
    blocks = (n, height, width, block, block, channels // (block * block))
    apart = t.emit("reshape", (t.operand(0),), part="blocks", shape=blocks)
    turned = t.emit("transpose", (apart,), part="turned", permutation=(0, 1, 3, 2, 4, 5))
    return t.emit("reshape", (turned,), shape=(n, height * block, width * block, channels // (block * block)))


def space_to_batch(t: Translation) -> str:
    """An image taken apart into as many as a block has pixels."""
    blocks, sides = _blocks(t)
    shape, places = t.shape(), range(1, len(blocks) + 1)
    before, after = ([0] * len(shape) for _ in range(2))
    for axis, (low, high) in zip(places, sides, strict=True):
        before[axis], after[axis] = low, high
    sizes = [size + low + high for size, low, high in zip(shape, before, after, strict=True)]
    if any(sizes[axis] % block for axis, block in zip(places, blocks, strict=True)):
        raise ModelError(f"{t.operator.kind} by {blocks} does not divide an image of {sizes}.")
    x = t.operand(0)
    if any(before + after):
        x = t.emit("pad", (x,), part="padded", before=before, after=after, value=0.0)
    apart, inner, outer = sizes[:1], [], []
    for axis, block in zip(places, blocks, strict=True):
        outer.append(len(apart))
        inner.append(len(apart) + 1)
        apart += [sizes[axis] // block, block]
    rest = range(len(apart), len(apart) + len(shape) - len(places) - 1)
    x = t.emit("reshape", (x,), part="blocks", shape=(*apart, *sizes[len(places) + 1 :]))
    x = t.emit("transpose", (x,), part="turned", permutation=(*inner, 0, *outer, *rest))
    fewer = (sizes[axis] // block for axis, block in zip(places, blocks, strict=True))
    return t.emit("reshape", (x,), shape=(sizes[0] * math.prod(blocks), *fewer, *sizes[len(places) + 1 :]))


def batch_to_space(t: Translation) -> str:
    """The images put together again, and cropped."""
    blocks, sides = _blocks(t)
    shape, count = t.shape(), len(blocks)
    images, rest = shape[0] // math.prod(blocks), shape[count + 1 :]
    if images * math.prod(blocks) != shape[0]:
        raise ModelError(f"{t.operator.kind} makes an image of {blocks} out of {shape[0]}.")
    x = t.emit("reshape", (t.operand(0),), part="blocks", shape=(*blocks, images, *shape[1:]))
    woven = [part for at in range(count) for part in (count + 1 + at, at)]
    order = (count, *woven, *range(2 * count + 1, 2 * count + 1 + len(rest)))
    x = t.emit("transpose", (x,), part="turned", permutation=order)
    whole = [size * block for size, block in zip(shape[1:], blocks, strict=False)]
    x = t.emit("reshape", (x,), part="whole", shape=(images, *whole, *rest))
    kept = [size - low - high for size, (low, high) in zip(whole, sides, strict=True)]
    if min(kept) < 1:
        raise ModelError(f"{t.operator.kind} crops {whole} down to nothing.")
    begin = [0, *(low for low, _ in sides), *(0 for _ in rest)]
    return t.emit("slice", (x,), begin=begin, step=[1] * len(shape), shape=(images, *kept, *rest))


def _blocks(t: Translation) -> tuple[list[int], list[tuple[int, int]]]:
    """The sizes of a block, and what is padded or cropped before and after each."""
    blocks, sides = t.numbers(1), t.numbers(2)
    if not 1 <= len(blocks) <= 2 or len(sides) != 2 * len(blocks) or len(t.shape()) - len(blocks) not in (1, 2):
        raise t.unsupported(f"by {blocks}")
    if min(blocks) < 1 or min(sides) < 0:
        raise ModelError(f"{t.operator.kind} has the block {blocks} and the sides {sides}.")
    return blocks, list(zip(sides[::2], sides[1::2], strict=True))


def _block(t: Translation, height: int, width: int) -> int:
    block: int = t.option("BlockSize")
    if block < 1 or height % block or width % block:
        raise ModelError(f"{t.operator.kind} by {block} does not divide an image of {height} by {width}.")
    return block


OPERATORS: dict[str, Callable[[Translation], str | Sequence[str]]] = {
    "PAD": pad,
    "PADV2": pad,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "PACK": pack,
    "UNPACK": unpack,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SLICE": slice_,
    "STRIDED_SLICE": strided_slice,
    "SPACE_TO_DEPTH": space_to_depth,
    "DEPTH_TO_SPACE": depth_to_space,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "BATCH_TO_SPACE_ND": batch_to_space,
}

SHAPES: dict[str, tuple[int, ...]] = {
    "RESHAPE": (1,),
    "SLICE": (2,),
    "EXPAND_DIMS": (1,),
    "TRANSPOSE_CONV": (0,),
    "ZEROS_LIKE": (0,),
    "FILL": (0,),
    "BROADCAST_TO": (1,),
}
"""Inputs that only say a shape, which the file states for the output as well."""
