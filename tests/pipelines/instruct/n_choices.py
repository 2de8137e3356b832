"""How many answers the small world's tasks offer."""

OPEN = ("translation", "lead", "word_order", "facts", "similarity")
OF_TASK = {"topic": 8, "question_type": 4, "new_topic": 4} | dict.fromkeys(OPEN, 0)


def n_choices(task: str) -> int:
    """Return how many answers a task offers; 0 for an open one."""
    return OF_TASK.get(task, 2)
