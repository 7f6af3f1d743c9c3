"""Memory that PyTorch reserves of a GPU for tensors that come and go: its allocator, in small.

It takes memory from CUDA in segments, gives out the smallest free block that is large enough, cuts
what is left off, and joins free neighbours. The sizes are those of PyTorch's CUDACachingAllocator
as it is set by default.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass

GRAIN = 512  # bytes that sizes are rounded up to
SMALL = 2**20  # a tensor up to this lies in a segment of small ones
SMALL_SEGMENT, SEGMENT, LARGE = 2 * 2**20, 20 * 2**20, 10 * 2**20
COARSE = 2 * 2**20  # bytes that larger segments are rounded up to


@dataclass(eq=False)
class _Block:
    size: int
    small: bool
    number: int
    free: bool = False
    before: "_Block | None" = None
    after: "_Block | None" = None

    @property
    def key(self) -> tuple[int, int]:
        return self.size, self.number


class Allocator:
    """The memory of a GPU; `reserved` bytes of it were taken from CUDA."""

    def __init__(self) -> None:
        self.reserved = 0
        self._count = 0
        self._free: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
        self._blocks: dict[int, _Block] = {}
        self._given: dict[int, _Block] = {}

    def take(self, name: int, size: int) -> None:
        """Give out memory, under a name."""
        if not size:
            return
        size = -(-size // GRAIN) * GRAIN
        block = self._found(size) or self._segment(size)
        rest = block.size - size
        if rest >= GRAIN if block.small else rest > SMALL:
            tail = self._made(rest, block.small)
            tail.before, tail.after = block, block.after
            if block.after is not None:
                block.after.before = tail
            block.after, block.size = tail, size
            self._release(tail)
        self._given[name] = block

    def give_back(self, name: int) -> None:
        """Take memory back."""
        block = self._given.pop(name, None)
        if block is None:
            return
        for other in (block.before, block.after):
            if other is None or not other.free:
                continue
            self._withdraw(other)
            first, second = (other, block) if other is block.before else (block, other)
            first.size += second.size
            first.after = second.after
            if second.after is not None:
                second.after.before = first
            del self._blocks[second.number]
            block = first
        self._release(block)

    def _found(self, size: int) -> _Block | None:
        free = self._free[size <= SMALL]
        place = bisect_left(free, (size, -1))
        if place == len(free):
            return None
        block = self._blocks[free[place][1]]
        self._withdraw(block)
        return block

    def _segment(self, size: int) -> _Block:
        small = size <= SMALL
        whole = SMALL_SEGMENT if small else SEGMENT if size < LARGE else -(-size // COARSE) * COARSE
        self.reserved += whole
        return self._made(whole, small)

    def _made(self, size: int, small: bool) -> _Block:
        self._count += 1
        block = self._blocks[self._count] = _Block(size, small, self._count)
        return block

    def _release(self, block: _Block) -> None:
        block.free = True
        insort(self._free[block.small], block.key)

    def _withdraw(self, block: _Block) -> None:
        block.free = False
        free = self._free[block.small]
        del free[bisect_left(free, block.key)]
