"""Draw the rooms of the source and which imports which: `make map` writes docs/images/rooms.svg.

An arrow is left out where others lead the same way. Its colours follow the reader's choice of
light or dark.
"""

from itertools import pairwise
from pathlib import Path

import grimp
import networkx as nx

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "images" / "rooms.svg"
ROW, COLUMN, WIDE, TALL = 58, 122, 106, 30  # pixels: from room to room, and of one

STYLE = """text{font:13px system-ui,sans-serif;fill:#222;text-anchor:middle}
rect{fill:#e6f2f1;stroke:#00796b}path{fill:none;stroke:#00796b;stroke-opacity:.6}
marker path{fill:#00796b;stroke:none}
@media (prefers-color-scheme:dark){text{fill:#ddd}rect{fill:#12302d;stroke:#4db6ac}
path{stroke:#4db6ac}marker path{fill:#4db6ac}}"""


def imports() -> nx.DiGraph:
    """An edge for each room that another imports, but where others lead there."""
    modules = grimp.build_graph("gleam", exclude_type_checking_imports=True)
    rooms = {path.parent.name for path in (ROOT / "src" / "gleam").glob("*/__init__.py")}
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(rooms))
    for module in sorted(modules.modules - {"gleam"}):
        for other in sorted(modules.find_modules_directly_imported_by(module) - {"gleam"}):
            one, to = module.split(".")[1], other.split(".")[1]
            if one != to and {one, to} <= rooms:
                graph.add_edge(one, to)
    return nx.transitive_reduction(graph)


def arranged(graph: nx.DiGraph) -> tuple[list[list[str]], list[list[str]]]:
    """Rows from the top, and the way of each arrow: from a room through rows to another.

    Where an arrow passes a row, a name with a "→" keeps its place there.
    """
    rows = [sorted(row) for row in nx.topological_generations(graph)]
    of = {room: n for n, row in enumerate(rows) for room in row}
    ways = []
    for one, to in sorted(graph.edges):
        passed = [f"{one}→{to}:{n}" for n in range(of[one] + 1, of[to])]
        for n, name in enumerate(passed, of[one] + 1):
            rows[n].append(name)
        ways.append([one, *passed, to])
    steps = [step for way in ways for step in pairwise(way)]
    for turn in range(24):  # each row in the order of its neighbours above, then below, and so on
        down = turn % 2 == 0
        beside: dict[str, list[str]] = {name: [] for row in rows for name in row}
        for above, below in steps:
            beside[below if down else above].append(above if down else below)
        for n in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            row, other = rows[n], rows[n - 1 if down else n + 1]
            spot = {name: k - (len(other) - 1) / 2 for k, name in enumerate(other)}
            own = {name: k - (len(row) - 1) / 2 for k, name in enumerate(row)}
            near = {
                name: [spot[x] for x in beside[name] if x in spot] or [own[name]] for name in row
            }
            row.sort(key=lambda name, near=near: sum(near[name]) / len(near[name]))
    return rows, ways


def drawing() -> str:
    """The picture as SVG."""
    rows, ways = arranged(imports())
    middle = max(map(len, rows)) * COLUMN / 2
    at = {
        name: (middle + (k - (len(row) - 1) / 2) * COLUMN, 6 + ROW * n)
        for n, row in enumerate(rows)
        for k, name in enumerate(row)
    }
    parts = []
    for way in ways:
        x, y = at[way[0]]
        line = f"M{x:.0f} {y + TALL}"
        for name in way[1:]:
            (x0, y0), (x, y) = (x, y), at[name]
            bottom = y0 + TALL  # what only passes a row goes straight through it
            end = y - (4 if name == way[-1] else 0)
            half = (bottom + end) / 2
            line += f"C{x0:.0f} {half:.0f} {x:.0f} {half:.0f} {x:.0f} {end}"
            line += "" if name == way[-1] else f"V{y + TALL}"
        parts.append(f'<path d="{line}" marker-end="url(#tip)"/>')
    for name, (x, y) in at.items():
        if "→" not in name:
            box = f'x="{x - WIDE / 2:.0f}" y="{y}" width="{WIDE}" height="{TALL}" rx="6"'
            parts.append(f'<rect {box}/><text x="{x:.0f}" y="{y + 20}">{name}</text>')
    size = f"0 0 {2 * middle:.0f} {ROW * len(rows) - ROW + TALL + 12}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" role="img">'
        f"<title>The rooms of the source, and which imports which</title><style>{STYLE}</style>"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
