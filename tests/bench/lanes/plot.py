#!/usr/bin/python3
"""Draws a run's ledger as SVG: messages a second (or open connections) of a site over time, against the hidden limit.

usage: plot.py RESULTS.json --scenario NAME --site NAME [--what rate|connections] [--smooth S] [-o FILE.svg]

RESULTS.json is what `run --json` wrote. One line for each contender in it; red ticks at the top, one row a contender,
are seconds with refused attempts; the grey step line is the limit as the receiver had it. No libraries.
"""
import argparse
import html
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from limits import AVOIDABLE  # noqa: E402
from scenario import Scenario  # noqa: E402

WIDTH, HEIGHT = 760, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 130, 44, 44
COLOURS = ["#1b6ca8", "#d9822b", "#6a4c93", "#2a9d5c", "#888888"]
INK, FAINT, LIMIT, REFUSED = "#333333", "#dddddd", "#999999", "#c62828"


def limit_steps(site, what, end):
    """[(from, to, limit)] over the run; no steps where the site has no limit of that kind."""
    def value(force):
        if what == "connections":
            return force.get("conns")
        window = force.get("window")
        rates = [r for r in (force.get("rate"), window and window["messages"] / window["seconds"],
                             force["conns"] / force["latency"] if force.get("conns") and force.get("latency") else None)
                 if r]
        return min(rates) if rates else None
    force, at, steps = dict(site), 0.0, []
    for change in [*sorted(site.get("change", []), key=lambda c: c["at"]), {"at": end}]:
        until = min(change["at"], end)
        if (limit := value(force)) and until > at:
            steps.append((at, until, limit))
        at = until
        force.update({k: v for k, v in change.items() if k != "at"})
    return steps


def series(ledger, what, smooth, end):
    """[(second, value)]: messages a second as a mean over `smooth` seconds, or most connections open in the second."""
    if what == "connections":
        counts = {int(s): n for s, n in ledger["open"].items()}
        return [(s, counts.get(s, 0)) for s in range(end)]
    counts = {int(s): n for s, n in ledger["accepted"].items()}
    return [(s + smooth / 2, sum(counts.get(i, 0) for i in range(s, s + smooth)) / smooth)
            for s in range(0, max(1, end - smooth + 1))]


def nice_step(span, most=6):
    size = 1
    while span / size > most:
        size = size * 2 if str(size)[0] in "15" else size * 5 // 2
    return size


def draw(title, lines, steps, refusals, end, unit):
    """lines: {contender: [(second, value)]}; refusals: {contender: {seconds}}. The SVG's text."""
    highest = max([v for points in lines.values() for _, v in points] + [limit for *_, limit in steps] + [1]) * 1.1
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(second):
        return LEFT + second / end * width

    def y(value):
        return TOP + height - value / highest * height
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
           f'font-family="sans-serif" font-size="11" fill="{INK}">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="16" font-size="13">{html.escape(title)}</text>']
    step = nice_step(highest)
    for value in range(0, int(highest) + 1, step):
        out.append(f'<path d="M{LEFT} {y(value):.1f}H{LEFT + width}" stroke="{FAINT}"/>'
                   f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>')
    for second in range(0, end + 1, nice_step(end, 10)):
        out.append(f'<text x="{x(second):.1f}" y="{TOP + height + 16}" text-anchor="middle">{second}</text>')
    out.append(f'<text x="{LEFT + width / 2}" y="{HEIGHT - 8}" text-anchor="middle">seconds</text>'
               f'<text x="14" y="{TOP + height / 2}" text-anchor="middle" '
               f'transform="rotate(-90 14 {TOP + height / 2})">{unit}</text>')
    for start, until, limit in steps:
        out.append(f'<path d="M{x(start):.1f} {y(limit):.1f}H{x(until):.1f}" stroke="{LIMIT}" stroke-width="2" '
                   'stroke-dasharray="5 3"/>')
    if steps:
        out.append(f'<text x="{LEFT + width + 8}" y="{y(steps[-1][2]) + 4:.1f}" fill="{LIMIT}">the limit</text>')
    for row, (name, points) in enumerate(lines.items()):
        colour = COLOURS[row % len(COLOURS)]
        path = "L".join(f"{x(s):.1f} {y(v):.1f}" for s, v in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        out.append(f'<path d="M{WIDTH - RIGHT + 8} {HEIGHT - BOTTOM - 14 * row - 4}h14" stroke="{colour}" '
                   f'stroke-width="2"/><text x="{WIDTH - RIGHT + 26}" y="{HEIGHT - BOTTOM - 14 * row}">'
                   f'{html.escape(name)}</text>')
        ticks = "".join(f"M{x(s + 0.5):.1f} {TOP - 18 + 6 * row}v5" for s in sorted(refusals[name]) if s < end)
        if ticks:
            out.append(f'<path d="{ticks}" stroke="{REFUSED}" stroke-width="1"/>'
                       f'<text x="{LEFT + width + 8}" y="{TOP - 13 + 6 * row}" fill="{colour}" font-size="7">'
                       f'refused: {html.escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results")
    parser.add_argument("--scenario", required=True, help="name, or a file")
    parser.add_argument("--site", required=True)
    parser.add_argument("--what", choices=["rate", "connections"], default="rate")
    parser.add_argument("--smooth", type=int, default=3, metavar="S", help="seconds of the moving mean (rate)")
    parser.add_argument("--until", type=int, metavar="S", help="end of the time line (default: the longest run)")
    parser.add_argument("-o", "--output", default="-")
    options = parser.parse_args()
    path = pathlib.Path(__file__).resolve().parent / "scenarios" / f"{options.scenario}.json"
    scenario = Scenario(path if path.exists() else options.scenario)
    runs = [r for r in json.loads(pathlib.Path(options.results).read_text()) if r["scenario"] == scenario.name]
    if not runs:
        sys.exit(f"{options.results}: no run of {scenario.name}")
    if options.site not in scenario.sites:
        sys.exit(f"{scenario.name} has no site {options.site}: {', '.join(scenario.sites)}")
    end = options.until or max(int(run["seconds"]) + 1 for run in runs)
    lines, refusals = {}, {}
    for run in runs:
        ledger = run["sites"][options.site]
        lines[run["contender"]] = series(ledger, options.what, options.smooth, min(end, int(run["seconds"]) + 1))
        refusals[run["contender"]] = {int(s) for kind in AVOIDABLE for s in ledger["refused"].get(kind, {})}
    unit = "messages a second" if options.what == "rate" else "connections open"
    text = draw(f"{scenario.name}: {unit} at {options.site}", lines, limit_steps(scenario.sites[options.site],
                                                                               options.what, end), refusals, end, unit)
    if options.output == "-":
        sys.stdout.write(text)
    else:
        pathlib.Path(options.output).write_text(text)


if __name__ == "__main__":
    main()
