import polars as pl
import pytest

from genlab.claims import read_claims, settle_claim, verdict, yaml_word
from genlab.program import InputError

CLAIM = {"metric": "average_loc", "a": "long", "b": "short", "expect": "lower"}


def rows(locations: dict[str, float], ranker: str = "labse") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ranker": ranker,
            "query_id": list(locations),
            "location": [float(place) for place in locations.values()],
        }
    )


def test_an_interval_that_holds_zero_is_not_significant():
    assert verdict(-0.2, 0.1, "lower") == "not significant"
    assert verdict(0.0, 0.1, "higher") == "not significant"


def test_a_significant_difference_supports_or_contradicts_by_its_sign():
    assert verdict(-0.3, -0.1, "lower") == "supported"
    assert verdict(0.1, 0.3, "lower") == "contradicted"
    assert verdict(0.1, 0.3, "higher") == "supported"


def test_arms_are_paired_by_query_whatever_their_order():
    long = rows({"a": 3, "b": 9, "c": 5})
    short = rows({"c": 4, "a": 2, "b": 8})  # each one place better
    found = settle_claim(CLAIM, {"long": long, "short": short})["labse"]
    assert found["difference"] == -1.0
    assert (found["low"], found["high"]) == (-1.0, -1.0)
    assert found["n_queries"] == 3
    assert found["verdict"] == "supported"


def test_queries_of_one_arm_alone_are_left_out_and_counted():
    found = settle_claim(CLAIM, {"long": rows({"a": 3, "b": 9}), "short": rows({"a": 1, "z": 1})})
    assert found["labse"]["n_queries"] == 1


def test_a_claim_with_an_arm_that_was_not_run_has_no_verdict():
    assert settle_claim(CLAIM, {"long": rows({"a": 3}), "short": None}) == {}


def test_params_values_are_written_as_dvc_reads_them():
    assert yaml_word(False) == "false"
    assert yaml_word(50) == "50"
    assert yaml_word("base") == "base"
    assert yaml_word(["labse"]) == '["labse"]'


@pytest.mark.parametrize(
    ("key", "value"), [("a", "nobody"), ("metric", "bleu"), ("expect", "better")]
)
def test_a_claim_with_an_unknown_arm_metric_or_direction_is_named(tmp_path, key, value):
    claim = {"claim": "x", "metric": "average_loc", "a": "p", "b": "q", "expect": "lower"}
    path = tmp_path / "claims.yaml"
    import yaml

    path.write_text(
        yaml.safe_dump({"arms": {"p": {}, "q": {}}, "claims": {"bold": claim | {key: value}}})
    )
    with pytest.raises(InputError, match=f"claim bold: {key} is {value}"):
        read_claims(path)
