import pytest

from genlab.core.params import did_you_mean, flatten, is_number, number_said


def test_nested_values_have_dotted_names_and_a_list_is_one_value():
    content = {"gen": {"max_len": 50, "stop": [1, 2]}, "seed": 17, "empty": {}}
    assert flatten(content) == {"gen.max_len": 50, "gen.stop": [1, 2], "seed": 17, "empty": {}}


def test_values_in_lists_have_their_places_in_their_names():
    assert flatten({"a": [{"b": 1}, 2], "c": {}, "d": {"e": None}, "f": []}, lists=True) == {
        "a.0.b": 1,
        "a.1": 2,
        "c": {},
        "d.e": None,
        "f": [],
    }


@pytest.mark.parametrize(("content", "flat"), [({}, {}), ([], {"": []}), (3, {"": 3})])
def test_empty_params_have_no_values_and_a_bare_value_no_name(content, flat):
    assert flatten(content, lists=True) == flat


def test_true_and_what_has_no_size_are_no_numbers():
    assert all(map(is_number, (0, -1.5, 10**30)))
    assert not any(map(is_number, (True, "1", None, float("nan"), float("inf"))))


def test_a_text_is_a_number_as_people_write_them_not_as_python_does():
    written = ("007", "-1.5", "4.", ".5", " 5\n", "1e3", "+2E-1", "۵")
    assert list(map(number_said, written)) == [7, -1.5, 4, 0.5, 5, 1000, 0.2, 5]
    for text in ("0_4", "nan", "inf", "1e", "", "1,5", "0x1", "²", "1 0", "1" * 5000 + "_"):
        assert number_said(text) is None


def test_a_misspelt_name_gets_the_closest_known_one_if_any_is_close():
    assert did_you_mean("max_lenn", ["max_len", "seed"]) == "; did you mean max_len?"
    assert did_you_mean("x", ["max_len"]) == ""
