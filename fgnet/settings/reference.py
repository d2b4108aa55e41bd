"""The reference of the configuration, from the settings themselves.

python -m fgnet.settings.reference > docs/config.md
python -m fgnet.settings.reference --schema > docs/config.schema.json   (for editors)
"""

import json
import sys
from typing import Any

from fgnet.settings.config import Config

HEAD = """# Configuration

Every key of a config file, generated from `fgnet/settings/` (`make docs`). A key that is not
here is an error. Only what an edit touches runs again: each stage receives its own section.

"""


def reference() -> str:
    """The reference as Markdown: a table for each section."""
    schema = Config.model_json_schema()
    sections = schema["$defs"]
    text = [HEAD, table("config file", schema, sections)]
    for name in order(schema, sections):
        if sections[name].get("type") == "object":
            text.append(table(name, sections[name], sections))
    return "\n".join(text)


def order(schema: dict[str, Any], sections: dict[str, Any]) -> list[str]:
    """Names of the sections as they are met from the top."""
    met: list[str] = []
    todo = mentioned(schema)
    while todo:
        name = todo.pop(0)
        if name not in met:
            met.append(name)
            todo = mentioned(sections[name]) + todo
    return met


def mentioned(value: Any) -> list[str]:
    """Sections that a part of the schema refers to."""
    if isinstance(value, dict):
        own = [value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else []
        return own + [n for k, v in value.items() if k != "$defs" for n in mentioned(v)]
    if isinstance(value, list):
        return [name for item in value for name in mentioned(item)]
    return []


def table(name: str, section: dict[str, Any], sections: dict[str, Any]) -> str:
    """One section: its keys, their values, defaults and meaning."""
    lines = [f"## {name}", ""]
    if "description" in section and name != "config file":
        lines += [section["description"].split("\n\n")[0].replace("\n", " "), ""]
    lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for key, value in section["properties"].items():
        lines.append(
            f"| `{key}` | {kind(value, sections)} | {default(section, key, value)} "
            f"| {value.get('description', '')} |"
        )
    return "\n".join(lines) + "\n"


def default(section: dict[str, Any], key: str, value: dict[str, Any]) -> str:
    """The default as the config would spell it; long ones stand in their own section."""
    if key in section.get("required", []):
        return "needed"
    text = json.dumps(value.get("default"))
    return f"`{text}`" if len(text) < 60 else "see there"


def kind(value: dict[str, Any], sections: dict[str, Any]) -> str:
    """What values a key takes, in words."""
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(f"`{v}`" for v in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    for union in ("anyOf", "oneOf"):
        if union in value:
            return " or ".join(dict.fromkeys(kind(v, sections) for v in value[union]))
    if value.get("type") == "array":
        if "prefixItems" in value:
            inner = list(dict.fromkeys(kind(v, sections) for v in value["prefixItems"]))
            return f"[{len(value['prefixItems'])} x {' or '.join(inner)}]"
        return f"list of {kind(value.get('items', {}), sections)}"
    if value.get("type") == "object":
        return f"names, each {kind(value.get('additionalProperties', {}), sections)}"
    limits = {
        "minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<",
    }  # fmt: skip
    bounds = [f"{sign} {value[key]:g}" for key, sign in limits.items() if key in value]
    return " ".join(
        [{"null": "null"}.get(value.get("type", ""), value.get("type", "any")), *bounds]
    )


if __name__ == "__main__":
    if "--schema" in sys.argv[1:]:
        print(json.dumps(Config.model_json_schema(), indent=1))
    else:
        print(reference(), end="")
