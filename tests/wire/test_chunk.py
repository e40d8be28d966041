"""A chunk says how long it is, whether its line was made before or not."""

import pytest

from proxy.wire.chunk import chunk


@pytest.mark.parametrize("size", [1, 15, 16, 255, 256, 4095, 4096, 70_000])
def test_a_chunk_is_its_length_its_data_and_a_line_end(size: int) -> None:
    data = b"\n" * size
    line, _, rest = chunk(data).partition(b"\r\n")
    assert int(line, 16) == size
    assert rest == data + b"\r\n"
