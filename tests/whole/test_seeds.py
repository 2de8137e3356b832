"""A seed reaches the stages that it names, and nothing upstream of them."""

from tests.swept_seeds import stages_of_seeds

SEEDS = {
    "corpus.seed": {"fetch_corpus"},
    "base.seed": {"fetch_base"},
    "rankers.labse.seed": {"fetch_ranker@labse"},
    "rankers.use.seed": {"fetch_ranker@use"},
    "rankers.bm25.seed": {"fetch_ranker@bm25"},
    "dedup.seed": {"dedup"},
    "train.seed": {"train"},
    "gen.seed": {"generate", "generate_forced"},
    "leakage.seed": {"find_leaks", "leakage"},
}


def test_a_seed_stands_in_the_commands_of_its_own_stages_alone(tmp_path):
    assert stages_of_seeds(tmp_path, ".", list(SEEDS)) == SEEDS
