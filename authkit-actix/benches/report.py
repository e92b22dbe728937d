#!/usr/bin/env python3
"""Draws the plot of docs/performance.md and fills in its tables, from what all.sh has measured:

    python3 authkit-actix/benches/report.py
"""

import json
import re
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
RESULTS = DOCS / "performance"
ROW, TOP, LEFT, WIDTH, RIGHT = 34, 64, 320, 460, 150


def read(name):
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def figure(number):
    return f"{number:.2f}" if abs(number) < 100 else f"{number:.0f}"


def spread(samples):
    return f"{figure(samples['least'])} to {figure(samples['most'])}"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def verdict(row):
    if "must" not in row:
        return ""
    return "**missed**" if row["misses"] else "reached"


def goals(compare, node):
    rows = [
        [row["name"], figure(row["median"]), spread(row), row.get("must", ""), row.get("aim", ""), verdict(row)]
        for row in [*compare["rows"], in_node(node)]
    ]
    return table(["What", "Median", "Range", "Must", "Aim", ""], rows)


def in_node(node):
    """How many of our checks one of authkit-nextjs's comes to."""
    name = "processor time of authkit-nextjs's `authkit()`, against a check in this process"
    return node["ratio"] | {"name": name, "must": 250, "aim": 400, "misses": node["ratio"]["median"] < 250}


def per_request(compare):
    rows = [[each["name"], figure(each["median"]), spread(each)] for each in compare["variants"]]
    return table(["Application", "Median, µs", "Range"], rows)


def parts(check):
    def time(nanoseconds):
        return f"{nanoseconds / 1000:.2f}"

    rows = [[each["name"], time(each["median"]), f"{time(each['least'])} to {time(each['most'])}"] for each in check]
    return table(["What", "Median, µs", "95 % confidence"], rows)


def load(servers):
    rows = [[each[key] for key in ("name", "workers", "rate", "p50", "p99")] for each in servers]
    return table(["Application", "Workers", "Requests per second", "p50", "p99"], rows)


def machine(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"{about['processor']}, {about['cores']} virtual cores, Linux {about['linux']}, {versions}; {about['date']}, load average {about['load']}."


def next_js(node):
    names = {
        "authkit": "`authkit()`",
        "authkitProxy": "`authkitProxy()`, which calls the same",
        "ours": "a check of this library",
    }
    rows = [[title, figure(node[name]["median"]), spread(node[name])] for name, title in names.items()]
    versions = f"authkit-nextjs {node['authkit-nextjs']}, Next {node['next']}, Node {node['node']}, a cookie of {node['cookie_bytes']} bytes:"
    return f"{versions}\n\n{table(['Function', 'Median, µs', 'Range'], rows)}"


def color(name):
    if name.startswith("AuthKit"):
        return "#6363f1"
    return "#9aa0a6" if name.startswith(("bare", "no-op")) else "#d08a3c"


def bar(index, variant, scale):
    y = TOP + index * ROW
    low, middle, high = (LEFT + variant[key] * scale for key in ("least", "median", "most"))
    high = min(high, LEFT + WIDTH + 12)
    name = escape(variant["name"])
    return f"""\
<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{name}</text>
<rect x="{LEFT}" y="{y}" width="{middle - LEFT:.1f}" height="20" fill="{color(variant['name'])}"/>
<path d="M{low:.1f} {y + 10}H{high:.1f}M{low:.1f} {y + 5}v10M{high:.1f} {y + 5}v10" stroke="#333"/>
<text x="{LEFT + WIDTH + 24}" y="{y + 15}">{variant['median']:.1f} µs</text>"""


def plot(compare):
    variants = compare["variants"]
    scale = WIDTH / max(variant["median"] for variant in variants) * 0.94
    height = TOP + len(variants) * ROW + 12
    bars = "\n".join(bar(index, variant, scale) for index, variant in enumerate(variants))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" \
font-family="sans-serif" font-size="14" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="28" font-size="17">A worker's processor time per request</text>
<text x="16" y="48" fill="#666">median of {compare['rounds']} rounds; the lines are the least and the most</text>
{bars}
</svg>
"""


def main():
    compare, node = read("compare.json"), read("node.json")
    passages = {
        "machine": machine(read("machine.json")),
        "goals": goals(compare, node),
        "per request": per_request(compare),
        "parts": parts(read("check.json")),
        "load": load(read("load.json")),
        "node": next_js(node),
    }
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8")
    for name, passage in passages.items():
        marks = re.compile(f"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        text, count = marks.subn(lambda found: found[1] + passage + found[2], text)
        assert count == 1, f"{page} has no place for: {name}"
    page.write_text(text, encoding="utf-8")
    (RESULTS / "compare.svg").write_text(plot(compare), encoding="utf-8")


main()
