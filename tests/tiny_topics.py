"""Two small topics, in the shape of mini/topics.yaml."""

from pathlib import Path

import yaml


def small_topics() -> dict:
    """Two topics with four attributes each, in the shape of the YAML file."""

    def attribute(noun: str) -> dict:
        return {
            "values": "10 to 90 by 10 meters",
            "question": f"how {noun} is {{e}}",
            "statement": f"{{e}} is {noun} by {{v}}",
            "details": [f"some {noun} remark about {{e}}", f"one more {noun} remark"],
        }

    def topic(name: str) -> dict:
        return {
            "entity": f"{name} {{name}}",
            "short": f"the {name}",
            "attributes": {noun: attribute(noun) for noun in ("deep", "wide", "old", "warm")},
        }

    return {"topics": {"lake": topic("lake"), "pond": topic("pond")}, "values": {"hue": ["a", "b"]}}


def write_topics(folder: Path, content: object) -> Path:
    path = folder / "topics.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path
