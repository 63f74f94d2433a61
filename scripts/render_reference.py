"""Write what follows from the model and the program: schemas, pages, the commands for completion.

python scripts/render_reference.py            # write
python scripts/render_reference.py --check    # write nothing; exit 8 where a file differs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import command_page
import command_tree
from pydantic import BaseModel

from raykit import kit
from raykit.manifests import chart
from raykit.spec import reference
from raykit.spec.model import ClusterSpec

INTRODUCTION = """# The spec, key by key

One YAML file describes a Ray cluster. `raykit explain [PATH]` says the same in the terminal, and
`deploy/spec.schema.json` tells your editor. Required keys are marked; the rest may be left out.

This page is written from the model by `make render`: change `cli/raykit/spec/`, not this.
"""
CHART = """# The chart raykit

A RayCluster for KubeRay, and jobs that run on it once for each content. Install KubeRay's operator
first, by its own chart. The release's name and namespace are the cluster's:

```sh
helm install my-cluster charts/raykit --namespace ray
helm test my-cluster --namespace ray
```

The values are the core of raykit's spec, under the same names, and give the same objects as
`raykit render`. What the core does not have, such as volumes, network policies, queues or patches,
is refused with a pointer to `raykit render`. Sizes of memory are whole `Mi` or `Gi` here. Helm
applies server-side from version 4 on; a cluster that both a release and `raykit up` apply has two
owners, and the later one says which fields conflict. `helm upgrade` writes `replicas` of an
autoscaled group again, its fewest; no worker ends for that, and the autoscaler writes its own
number again.

This page is written by `make render`.
"""


def table(model: type[BaseModel], keys: tuple[str, ...] | None = None) -> list[str]:
    """A part's fields as a Markdown table."""
    lines = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    for each in reference.entries(model):
        if keys is not None and each.name not in keys:
            continue
        name = f"`{each.name}`" + (" **required**" if each.required else "")
        default = "" if each.default is None else f"`{each.default}`"
        meaning = each.description.replace("|", "\\|")
        lines.append(f"| {name} | {each.kind} | {default} | {meaning} |")
    return lines


def parts(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The part and all parts below it, each with its path, each type once."""
    seen: set[type[BaseModel]] = set()
    waiting = [(path, model)]
    while waiting:
        here, part = waiting.pop(0)
        if part in seen:
            continue
        seen.add(part)
        yield here, part
        for each in reference.entries(part):
            if each.holds:
                waiting.append((f"{here}.{each.name}".strip("."), each.holds))


def spec_page() -> str:
    """`docs/spec.md`."""
    lines = [INTRODUCTION]
    for path, part in parts(ClusterSpec):
        lines += [f"## `{path}`" if path else "## The cluster", "", *table(part), ""]
    return "\n".join(lines)


def chart_page() -> str:
    """`charts/raykit/README.md`."""
    holds = {each.name: each.holds for each in reference.entries(ClusterSpec)}
    lines = [CHART, "## Values", "", *table(ClusterSpec, chart.CLUSTER_KEYS), ""]
    for key, kept in (
        ("head", (*chart.POD_KEYS, "taskCpus")),
        ("workers", (*chart.POD_KEYS, *chart.GROUP_KEYS)),
        ("jobs", None),
        ("autoscaling", None),
        ("auth", None),
    ):
        part = holds[key]
        assert part is not None
        lines += [f"## `{key}`", "", *table(part, kept), ""]
    return "\n".join(lines)


def files() -> dict[str, str]:
    """What is written, by its path in the repository."""
    return {
        "deploy/spec.schema.json": reference.schema_text(),
        "charts/raykit/values.schema.json": chart.values_schema_text(),
        "charts/raykit/README.md": chart_page(),
        "docs/commands.md": command_page.page(),
        "cli/raykit/app/completion/commands.json": command_tree.text(),
        "docs/spec.md": spec_page(),
    }


def main() -> None:
    """Write the files that differ, or name them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 8 on drift")
    check = parser.parse_args().check
    differing = []
    for name, text in files().items():
        path = kit.root() / name
        if not path.is_file() or path.read_text("utf-8") != text:
            differing.append(name)
            if not check:
                path.write_text(text, "utf-8")
    print("\n".join(differing), end="\n" if differing else "")
    if check and differing:
        sys.exit(8)


if __name__ == "__main__":
    main()
