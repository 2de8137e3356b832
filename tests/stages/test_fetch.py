"""What fetch tells of a corpus; what it reads is in tests/passages and tests/sources."""

from stages.fetch import FEW, said_of_splits


def counts(train: int, validation: int) -> dict[str, dict[str, int]]:
    return {
        "train": {"queries": train, "passages": 0, "answerable": 0},
        "validation": {"queries": validation, "passages": 0, "answerable": 0},
    }


def test_the_sizes_of_the_splits_are_told_and_what_few_queries_are_worth():
    assert said_of_splits(counts(3500, 500)) == "3,500 train and 500 validation queries"
    few = said_of_splits(counts(56, FEW - 1))
    assert few.startswith(f"56 train and {FEW - 1} validation queries; so few to measure on")
    assert "corpus.validation_share" in few
