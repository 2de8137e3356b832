"""What is said beside a verdict of the size of a difference."""

from genlab.experiments.verdict_words import lies_within, tell_size


def test_an_interval_lies_within_a_margin_only_with_a_width_and_inside():
    assert lies_within(-0.05, 0.09, 0.1)
    assert not lies_within(-0.05, 0.1, 0.1)
    assert not lies_within(0.0, 0.0, 0.1)
    assert not lies_within(-0.05, 0.09, None)


def test_a_significant_difference_below_its_margin_says_so_and_no_other():
    assert tell_size("supported", 0.01, 0.09, 0.1) == ", within 0.1"
    assert tell_size("not settled", -0.01, 0.09, 0.1) == ""
    assert tell_size("contradicted", 0.01, 0.2, 0.1) == ""
