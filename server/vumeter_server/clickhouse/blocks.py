"""Arrow's stream format, in which rows go to ClickHouse and come from it."""

from __future__ import annotations

import asyncio
import io

import pyarrow as pa

_DECODED_ON_A_THREAD_BYTES = 1 << 20


def encode_block(rows: pa.Table) -> bytes:
    """Return rows as one block: what is inserted as one is stored as one."""
    if not rows.num_rows:
        raise ValueError("an empty block is not stored, so that it cannot be read back")
    (batch,) = rows.unify_dictionaries().combine_chunks().to_batches()
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


async def decode_answer(data: bytes) -> pa.Table:
    """Return the answer of a query; a large one is read on a thread."""
    if len(data) > _DECODED_ON_A_THREAD_BYTES:
        return await asyncio.to_thread(_decode, data)
    return _decode(data)


def _decode(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()
