import genlab  # noqa: F401  # Ctrl-C is obeyed from here on
