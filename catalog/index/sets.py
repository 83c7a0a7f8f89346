"""Sets of entities as big integers: bit n stands for the entity with the number n."""

from collections.abc import Collection, Iterable, Iterator

CHUNK = 8192
CHUNK_BYTES = CHUNK // 8
# So many entities stand in a list in the fact's own row; more are kept as blocks.
MOST_LISTED = 1000


def of_numbers(numbers: Collection[int]) -> int:
    """The set of these numbers."""
    if len(numbers) < 64:
        found = 0
        for number in numbers:
            found |= 1 << number
        return found
    packed = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        packed[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(packed, "little")


def of_chunks(chunks: Iterable[tuple[int, bytes]]) -> int:
    """The set that these blocks hold, each given with its place."""
    known = sorted(chunks)
    if not known:
        return 0
    packed = bytearray((known[-1][0] + 1) * CHUNK_BYTES)
    for chunk, bits in known:
        packed[chunk * CHUNK_BYTES : chunk * CHUNK_BYTES + len(bits)] = bits
    return int.from_bytes(packed, "little")


_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


def numbers_of(bits: int, start: int = 0) -> Iterator[int]:
    """The numbers in the set from `start` on, the lowest first."""
    for place, byte in enumerate(to_bytes(bits >> start)):
        if byte:
            for bit in _BITS[byte]:
                yield start + place * 8 + bit


def numbers_down(bits: int, below: int | None = None) -> Iterator[int]:
    """The numbers in the set below `below`, the highest first."""
    if below is not None:
        bits &= (1 << below) - 1
    packed = to_bytes(bits)
    for place in range(len(packed) - 1, -1, -1):
        if packed[place]:
            for bit in reversed(_BITS[packed[place]]):
                yield place * 8 + bit


def written(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array: the client needs far longer to make a parameter of a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def to_flags(bits: int, length: int) -> bytes:
    """A byte for each number below `length`: b"1" for those in the set, b"0" for the others."""
    return bin(bits)[:1:-1].encode().ljust(length, b"0")


def to_bytes(bits: int) -> bytes:
    """As PostgreSQL's get_bit reads it: the lowest bit first."""
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def changed_block(bits: bytes, adds: Iterable[int], dels: Iterable[int]) -> bytes:
    """A block with these places of it set and cleared; at most CHUNK_BYTES long."""
    packed = bytearray(CHUNK_BYTES)
    packed[: len(bits)] = bits
    for number in dels:
        packed[number >> 3] &= ~(1 << (number & 7))
    for number in adds:
        packed[number >> 3] |= 1 << (number & 7)
    return bytes(packed)
