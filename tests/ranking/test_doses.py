"""The answer to a dose: best dose, what the first gains, what is lost after the best."""

import numpy as np

from genlab.ranking.doses import dose_response


def test_one_that_has_enough_after_two_loses_after_it_and_one_that_never_has_does_not():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, (4, 200))
    enough = np.array([9.0, 4.0, 3.0, 5.0])[:, None] + noise
    found = dose_response([0, 1, 2, 8], enough, seed=1)
    assert found["best_dose"] == {"value": 2.0, "low": 2.0, "high": 2.0}
    assert abs(found["gained_by_first"]["value"] - 5) < 0.05
    assert abs(found["lost_after_best"]["value"] - 2) < 0.05
    assert found["lost_after_best"]["low"] > 1.9
    never = np.array([9.0, 6.0, 5.0, 1.0])[:, None] + noise
    found = dose_response([0, 1, 2, 8], never, seed=1)
    assert found["best_dose"]["value"] == 8
    assert found["lost_after_best"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_of_equal_doses_the_smallest_is_best_and_a_near_tie_is_seen_in_its_ends():
    same = np.full((3, 50), 2.0)
    assert dose_response([0, 1, 2], same, seed=1)["best_dose"]["value"] == 0
    rng = np.random.default_rng(2)
    close = np.stack([np.full(50, 9.0), rng.normal(2, 1, 50), rng.normal(2, 1, 50)])
    found = dose_response([0, 1, 4], close, seed=1)["best_dose"]
    assert (found["low"], found["high"]) == (1.0, 4.0)
