from genlab.experiments.task_tables import tasks_table

NUMBERS = {"value": 0.5, "low": 0.25, "high": 0.75}


def test_a_task_has_a_row_with_every_arm_and_the_range_of_several_prompts():
    several = {"chance": 0.25, "accuracy": NUMBERS, "prompts": 3, "least": 0.4, "most": 0.6}
    details = {
        "in_words": {"new_topic": {"base": several}},
        "by_prefix": {"new_topic": {"base": several | {"prompts": 1}, "single_task": several}},
    }
    header, _, words, prefix = tasks_table(details).splitlines()
    assert header == "| asked | task | chance | base | single task |"
    assert words == "| in words | new topic | 0.25 | 0.50 (0.25-0.75) [0.40-0.60] |  |"
    assert prefix == (
        "| by prefix | new topic | 0.25 | 0.50 (0.25-0.75) | 0.50 (0.25-0.75) [0.40-0.60] |"
    )
