"""Training documents: which passages, how blocks are cut, and the Arrow files."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.core.tables import QUERY_SCHEMA, write_arrow
from genlab.passages.documents import ROW_SCHEMA, block_schema, pack, selected_texts


def packed(documents, block_size):
    """Return the blocks and, if there is one, the tail, as lists, of documents given as lists."""
    blocks, rest = [], np.zeros(0, dtype=np.int32)
    for document in documents:
        whole, rest = pack(rest, np.array(document, dtype=np.int32), block_size)
        blocks += whole.tolist()
    return blocks + ([rest.tolist()] if len(rest) else [])


def test_documents_are_joined_and_cut_into_blocks():
    documents = [[1, 2, 3], [4, 5], [], [6, 7, 8, 9, 10]]
    assert packed(documents, 4) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_a_document_of_many_blocks_is_cut_into_all_of_them():
    assert packed([[*range(7)]], 2) == [[0, 1], [2, 3], [4, 5], [6]]


def test_text_that_fills_its_last_block_leaves_no_tail():
    assert packed([[1, 2], [3, 4]], 2) == [[1, 2], [3, 4]]
    assert packed([], 2) == []


@given(st.lists(st.lists(st.integers(0, 99), max_size=20), max_size=30), st.integers(1, 12))
def test_every_token_is_in_a_block_or_in_the_tail_in_order(documents, block_size):
    blocks = packed(documents, block_size)
    assert [token for block in blocks for token in block] == [
        token for document in documents for token in document
    ]
    assert all(len(block) == block_size for block in blocks[:-1])
    assert all(1 <= len(block) <= block_size for block in blocks[-1:])


def queries(*rows):
    """Return a query table from (query, [(text, is_selected), ...])."""
    return pl.DataFrame(
        [
            {
                "query_id": query,
                "query": query,
                "passages": [{"text": text, "is_selected": flag} for text, flag in passages],
                "split": "train",
            }
            for query, passages in rows
        ],
        schema=QUERY_SCHEMA,
    )


def test_a_body_is_the_selected_passages_in_order_and_the_others_are_left_out():
    table = queries(
        ("a", [("one", True), ("two", False), ("three", True)]),
        ("b", [("four", False)]),
        ("c", [("", True)]),
        ("d", [("five", True)]),
    )
    assert selected_texts(table).rows() == [("a", "one three"), ("d", "five")]


def test_rows_of_any_length_are_read_by_datasets(tmp_path):
    from datasets import Dataset

    rows = [([1, 2, 3], 1), ([4], 0), (list(range(50)), 49)]
    assert write_arrow(tmp_path / "rows.arrow", iter(rows), ROW_SCHEMA) == 3
    dataset = Dataset.from_file(str(tmp_path / "rows.arrow"))
    assert [(row["input_ids"], row["n_prompt"]) for row in dataset] == rows


def test_blocks_are_lists_of_fixed_size(tmp_path):
    from datasets import Dataset, List, Value

    # More than one record batch of 1,000.
    rows = [([number, number + 1], 0) for number in range(2500)]
    assert write_arrow(tmp_path / "blocks.arrow", rows, block_schema(2)) == 2500
    dataset = Dataset.from_file(str(tmp_path / "blocks.arrow"))
    assert dataset.features["input_ids"] == List(Value("int32"), length=2)
    assert dataset["input_ids"][2499] == [2499, 2500]
    assert len(dataset) == 2500


def test_a_block_of_the_wrong_size_is_refused(tmp_path):
    with pytest.raises(Exception, match="2"):
        write_arrow(tmp_path / "blocks.arrow", [([1, 2, 3], 0)], block_schema(2))
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_no_file(tmp_path):
    def rows():
        yield [1], 0
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_arrow(tmp_path / "rows.arrow", rows(), ROW_SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_no_rows_make_a_readable_empty_file(tmp_path):
    from datasets import Dataset

    assert write_arrow(tmp_path / "rows.arrow", [], ROW_SCHEMA) == 0
    assert len(Dataset.from_file(str(tmp_path / "rows.arrow"))) == 0
