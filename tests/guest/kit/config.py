# SPDX-License-Identifier: Apache-2.0
"""Config files of vmm as text: Python values in libconfig's notation."""


def value(thing):
    if isinstance(thing, bool):
        return "true" if thing else "false"
    if isinstance(thing, int):
        return str(thing)
    if isinstance(thing, str):
        return '"' + thing.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(thing, dict):
        return "{ " + " ".join(f"{key} = {value(item)};" for key, item in thing.items()) + " }"
    return "( " + ", ".join(value(item) for item in thing) + " )"


def device(type, **options):
    return {"type": type, **options}


def text(settings):
    """A config file of these top-level settings."""
    lines = []
    for key, item in settings.items():
        if key == "devices":
            lines.append("devices = (\n\t" + ",\n\t".join(value(d) for d in item) + "\n);")
        else:
            lines.append(f"{key} = {value(item)};")
    return "\n".join(lines) + "\n"
