"""Any bytes, cut anywhere."""

from collections.abc import Iterable

from hypothesis import strategies as st


def cut_at(whole: bytes, places: Iterable[int]) -> list[bytes]:
    """`whole` in pieces that end at `places` (in any order, repeats allowed: empty pieces)."""
    pieces = []
    begin = 0
    for end in sorted(places):
        pieces.append(whole[begin:end])
        begin = end
    pieces.append(whole[begin:])
    return pieces


def cuttings(whole: bytes) -> st.SearchStrategy[list[bytes]]:
    """Ways to cut these bytes, a few cuts or many, empty pieces included."""
    place = st.integers(0, len(whole))
    few = st.lists(place, max_size=6)
    many = st.lists(place, min_size=20, max_size=200)
    return st.one_of(few, many).map(lambda places: cut_at(whole, places))


def obvious_cuttings(whole: bytes) -> list[list[bytes]]:
    """Whole; byte by byte; in small equal pieces of several sizes."""
    sizes = (max(1, len(whole)), 1, 2, 3, 7, 64)
    return [[whole[at : at + size] for at in range(0, len(whole), size)] for size in sizes]
