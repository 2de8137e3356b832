"""Templates of anybody's: read as promptsource means them, rendered within limits."""

import time

import pytest

from genlab.core.program import InputError
from pipelines.instruct.prompt_templates import PromptTemplate, read_templates
from pipelines.instruct.rendering import Limits, Rendered, checked, render, renderer
from tests.pipelines.instruct.n_choices import n_choices
from tests.project_copy import ROOT

LIMITS = Limits(max_chars=2000, max_field_chars=40, seconds=0.3)

FILE = """
dataset: glue
subset: mrpc
templates:
  one: !Template
    answer_choices: no ||| yes
    id: one
    jinja: "{{a}} and {{b}}? ||| {{ answer_choices[label] }}"
    metadata: !TemplateMetadata
      choices_in_prompt: false
      languages: [en]
      metrics: [Accuracy]
      original_task: true
    name: plain
    reference: ''
"""


@pytest.fixture(scope="module")
def made():
    with renderer(LIMITS, 17) as made:
        yield made


def template(jinja, choices="", name="t"):
    return PromptTemplate("d", name, name, jinja, choices, True, False, bool(choices))


def refused(made, jinja, fields=None, choices=""):
    with pytest.raises(InputError) as error:
        render(made, template(jinja, choices), [("e1", fields or {"a": "x"})])
    message = str(error.value)
    assert message.startswith("template 't' of d")
    return message


def test_a_file_of_promptsource_is_read(tmp_path):
    (tmp_path / "templates.yaml").write_text(FILE)
    [one] = read_templates(tmp_path)["glue/mrpc"]
    assert (one.name, one.is_original, one.shows_choices) == ("plain", True, False)
    assert one.answer_choices == "no ||| yes"


@pytest.mark.parametrize(
    ("metrics", "is_ranked"),
    [("[Accuracy]", True), ("[accuracy, Other]", True), ("[]", True), ("[BLEU]", False)],
)
def test_choices_are_ranked_by_accuracy_however_it_is_written(tmp_path, metrics, is_ranked):
    (tmp_path / "templates.yaml").write_text(FILE.replace("[Accuracy]", metrics))
    assert read_templates(tmp_path)["glue/mrpc"][0].is_ranked == is_ranked


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("!Template\n", "!!python/object:os.system\n", "not promptsource's YAML"),
        ("jinja:", "jinjas:", "no key jinjas is known; did you mean jinja?"),
        ('? ||| {{ answer_choices[label] }}"', '?"', "jinja has no ||| between"),
        ("    name: plain\n", "", "name must be text"),
        ("answer_choices: no ||| yes", "answer_choices: [no, yes]", "answer_choices must be text"),
        ("dataset: glue", "dataset: 3", "dataset must be a name"),
        ("metrics: [Accuracy]", "metrics: 5", "one: metadata.metrics must be a list, not int"),
        ("    name: plain\n", "    name: 2020-99-99\n", "not promptsource's YAML (month must"),
        ("templates:", "prompts:", "no templates: in it"),
        ("    name: plain\n", "    name: plain\n    name: other\n", "name occurs twice"),
        ("subset: mrpc", "subset: no", "subset must be a name, in quotes"),
        (
            "original_task: true",
            "original_task: 'False'",
            "original_task must be true or false, wi",
        ),
    ],
)
def test_another_file_is_refused_by_what_is_wrong(tmp_path, old, new, expected):
    assert old in FILE
    (tmp_path / "templates.yaml").write_text(FILE.replace(old, new, 1))
    with pytest.raises(InputError, match=f"{tmp_path}/templates.yaml.*") as error:
        read_templates(tmp_path)
    assert expected in str(error.value)


def test_input_target_and_choices_are_stripped_and_a_field_does_not_split(made):
    jinja = "{{a}}\n ||| {{ answer_choices[label] }} "
    found = render(
        made, template(jinja, "{{b}} ||| no"), [("e", {"a": "x ||| y", "b": "u|||v", "label": 0})]
    )
    assert found == [Rendered("x ||| y", "u|||v", ["u|||v", "no"], 0)]


def test_long_fields_are_cut_and_what_renders_to_nothing_is_skipped(made):
    [cut] = render(made, template("{{a}} ||| z"), [("e", {"a": "x" * 90})])
    assert cut.input == "x" * 40
    jinja = "{{a}} ||| {% if label != -1 %}z{% endif %}"
    [empty] = render(made, template(jinja), [("e", {"a": "x", "label": -1})])
    assert empty.skipped == "no_target"


def test_promptsource_s_own_filters_and_zip(made):
    jinja = (
        "{{ ['b','a','b'] | most_frequent | join }} {{ a | highlight }}"
        "{% for x, y in zip([1,2],[3,4]) %} {{x}}{{y}}{% endfor %} ||| z"
    )
    assert render(made, template(jinja), [("e", {"a": "q"})])[0].input == "b q 13 24"


def test_choice_draws_from_the_item_s_own_stream(made):
    asks = template("{{ range(1000) | choice }} {{ range(1000) | random }} ||| z")
    names = [f"e{n}" for n in range(20)]
    found = [each.input for each in render(made, asks, [(name, {}) for name in names])]
    assert len(set(found)) == 20
    assert [each.input for each in render(made, asks, [("e7", {})])] == [found[7]]
    with renderer(LIMITS, 18) as other:
        assert render(other, asks, [("e7", {})])[0].input != found[7]


@pytest.mark.parametrize(
    ("jinja", "expected"),
    [
        ("{{ 'a' * 10**9 }} ||| z", "more than 2000 characters"),
        ("{{ [1] * 10**9 }} ||| z", "more than 2000 characters"),
        ("{{ 10 ** 10**9 }} ||| z", "more than 256 bits"),
        ("{{ 2 ** 10000 }} ||| z", "a power above 64"),
        ("{{ '%900000000d' % 1 }} ||| z", "a width above 1000"),
        ("{{ '%*d' | format(900000000, 1) }} ||| z", "a width above 1000"),
        ("{{ 'a' | center(10**12) }} ||| z", "memory"),
        ("{{ a.__class__.__mro__ }} ||| z", "refused by the sandbox"),
        ("{{ '{0.__class__}'.format(a) }} ||| z", "refused by the sandbox"),
        ("{{ a | attr('__class__') }} ||| z", "refused by the sandbox"),
        ("{{ self.__init__.__globals__ }} ||| z", "refused by the sandbox"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }} ||| z", "calls itself without end"),
        ("{% include '/etc/passwd' %} ||| z", "wants other templates"),
        ("{{ lipsum(10**6) }} ||| z", "reads the field lipsum"),
        ("{% if %} ||| z", "TemplateSyntaxError in line 1"),
        ("{{ a.b.c }} ||| z", "UndefinedError"),
        ("{{ 1 / 0 }} ||| z", "ZeroDivisionError"),
    ],
)
def test_a_hostile_or_broken_template_is_refused(made, jinja, expected):
    started = time.monotonic()
    assert expected in refused(made, jinja)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "jinja",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %} ||| z",
        "{% set n = namespace(x='a') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}"
        "{% endfor %}{{ n.x }} ||| z",
    ],
)
def test_a_loop_is_stopped_and_the_next_template_is_rendered(made, jinja):
    started = time.monotonic()
    message = refused(made, jinja)
    assert "too much time" in message or "too much memory" in message
    assert time.monotonic() - started < 20
    assert render(made, template("{{a}} ||| z"), [("e", {"a": "x"})])[0].input == "x"


def test_a_process_that_dies_is_an_error_and_the_next_template_is_rendered():
    with renderer(LIMITS, 17) as made:
        render(made, template("{{a}} ||| z"), [("e", {"a": "x"})])
        assert made.process is not None
        made.process.kill()
        made.process.wait()
        assert "was stopped" in refused(made, "{{a}} ||| z")
        assert render(made, template("{{a}} ||| z"), [("e", {"a": "x"})])[0].target == "z"


def test_a_template_of_another_data_set_is_told_by_its_field(made):
    message = refused(made, "{{premise}} ||| z", {"premises": "x", "label": 0})
    assert "reads the field premise, which example e1 lacks; did you mean premises?" in message
    assert "a template of another data set?" in message


def test_answers_must_be_among_choices_that_differ(made):
    fields = {"a": "x", "label": 2, "e": ""}
    assert "answer choice 1 of 2 is empty" in refused(
        made, "{{a}} ||| yes", fields, "{{e}} ||| yes"
    )
    assert "two answer choices are the same: yes ||| yes" in refused(
        made, "{{a}} ||| yes", fields, "yes ||| yes"
    )
    assert "target 'maybe' is not among the choices no ||| yes" in refused(
        made, "{{a}} ||| maybe", fields, "no ||| yes"
    )
    assert "3 parts between |||" in refused(made, "{{a}} ||| b ||| c", fields)
    with pytest.raises(InputError, match="has a field answer_choices"):
        render(made, template("{{a}} ||| b"), [("e", {"a": "x", "answer_choices": 1})])


@pytest.mark.parametrize("label", [-1, -2, 2, 5, True, False, None, 1.0, "yes", "1"])
def test_a_label_that_is_no_place_of_a_choice_is_refused_by_template_and_example(made, label):
    asks = "{{a}}? ||| {{ answer_choices[label] }}"
    message = refused(made, asks, {"a": "x", "label": label}, "no ||| yes")
    assert message.startswith("template 't' of d, example e1: label ")
    expected = {
        int: f"label {label} is out of range; there are 2 answer choices",
        str: f"label {label!r} is text; give the place of a choice, 0 or more, in every row",
    }
    shown = "null" if label is None else str(label).lower()
    assert expected.get(type(label), f"label {shown} is no whole number;") in message


def test_null_is_not_asked_as_the_word_none_but_a_template_may_look_at_it(made):
    fields = {"a": None, "b": "x"}
    assert "e1: it prints a field that is null;" in refused(made, "{{b}} {{a}} ||| z", fields)
    [found] = render(made, template("{{ b if a is none }}{{ a or '!' }} ||| z"), [("e", fields)])
    assert found.input == "x!"


def test_a_guarded_template_skips_what_has_no_label_and_reckons_with_labels_as_before(made):
    """As TREC's, whose fine labels are counted from those of their coarse one."""
    asks = (
        "{% if label in [3, 4] %}{{ answer_choices[:-1] | join(', ') }} or {{ answer_choices | last"
        " }}: {{a}} ||| {{ answer_choices [label-3] }}{% endif %}"
    )
    rows = [(str(label), {"a": "x", "label": label}) for label in (-1, 3, 4)]
    none, first, second = render(made, template(asks, "who ||| where"), rows)
    assert none.skipped == "no_input"
    assert first == Rendered("who or where: x", "who", ["who", "where"], 0)
    assert second.label == 1


def test_a_target_keeps_its_place_among_the_choices():
    value = {"parts": ["ask", "b"], "choices": ["a", "b"]}
    assert checked("here", value, True) == Rendered("ask", "b", ["a", "b"], 1)
    assert checked("here", value, False) == Rendered("ask", "b", None, -1)


def test_all_templates_of_the_mini_tasks_render():
    """Each task has five prompts or more that ask it, and one prefix."""
    from pipelines.instruct.mini_tasks import TASKS, make_examples
    from pipelines.instruct.mini_world import read_world

    folder = ROOT / "pipelines/instruct"
    found = read_templates(folder / "templates")
    assert set(found) == set(TASKS)
    world = read_world(folder / "mini_world.yaml")
    hides = turned = 0
    with renderer(Limits(20_000, 2048, 1.0), 17) as made:
        for name, templates in found.items():
            examples = make_examples(world, name, 4, 4, 17)["test"]
            rows = [(str(number), each) for number, each in enumerate(examples)]
            prompts = [each for each in templates if each.is_original]
            assert len(prompts) >= 6, name
            for each in templates:
                rendered = render(made, each, rows)
                asked = [one for one in rendered if not one.skipped]
                assert asked or each.jinja.startswith(("{% if", "say it")), each.shown
                n = n_choices(name)
                if each.is_original and n:
                    assert all(len(one.choices) == n for one in asked), each.shown
                    assert [one.label for one in asked] == [e["label"] for e in examples]
                hides += each.is_original and not each.shows_choices
                turned += not each.is_original
    assert hides > 20
    assert turned > 8
