"""What a run comes to: sums of the ledger, one table per scenario, ratios to Postfix."""
import math

from limits import AVOIDABLE


def summarize(scenario, result):
    """Adds `sum` and, per site, `sites[…]["sum"]` to the result; returns it."""
    batches, submit = result["batches"], sum(result["submitted"].get("stages", []))
    total = dict.fromkeys(("through", "expected", "messages", "refused", "early", "later", "after_restart", "blocks",
                           "duplicates", "connections", "other"), 0)
    last, ideals = 0.0, [0.5]
    for name, ledger in result["sites"].items():
        named = [scenario.batches[b] for b in batches if scenario.batches[b]["site"] == name]
        kinds = {kind: sum(seconds.values()) for kind, seconds in ledger["refused"].items()}
        by_second = [(int(s), n) for kind in AVOIDABLE for s, n in ledger["refused"].get(kind, {}).items()]
        row = {"messages": sum(b["messages"] for b in named), "expected": sum(scenario.deliverable(b) for b in named),
               "through": sum(len(ledger["batches"].get(b["name"], {}).get("times", [])) for b in named if b["wanted"]),
               "refused": sum(n for _, n in by_second),
               "early": sum(n for s, n in by_second if s < 60), "later": sum(n for s, n in by_second if s >= 60),
               "after_restart": sum(n for s, n in by_second if s >= result.get("restarted", math.inf)),
               "kinds": kinds, "blocks": ledger["blocks"], "duplicates": ledger["duplicates"],
               "connections": ledger["connections"], "most_open": ledger["most_open"],
               "other": sum(n for kind, n in kinds.items() if kind not in AVOIDABLE)}
        times = [t for b in named if b["wanted"] for t in ledger["batches"].get(b["name"], {}).get("times", [])]
        whole = row["through"] >= row["expected"]
        row["ideal"] = max(scenario.ideal(scenario.sites[name], batches), submit) if row["expected"] else 0
        row["time"] = (max(times) if times else 0.0) if whole else math.inf
        row["ratio"] = row["time"] / row["ideal"] if row["ideal"] else 0.0
        row["steady"] = steady(times, row)
        for key in total:
            total[key] += row[key]
        last, ideals = max(last, row["time"]), ideals + [row["ideal"]]
        ledger["sum"] = row
    total.update(time=last, ideal=max(ideals), ratio=last / max(ideals),
                 refused_per_cent=100 * total["refused"] / max(1, total["messages"]),
                 most_open=max(site["most_open"] for site in result["sites"].values()),
                 worst_site=max((s["sum"]["ratio"], n) for n, s in result["sites"].items()))
    result["sum"] = total
    if "alone" in result:
        summarize(scenario, result["alone"])
    return result


def steady(times, row, start=60):
    """The rate after the first minute as a share of the ideal one; None for what took hardly longer than that."""
    later, end = sum(t >= start for t in times), max(times, default=0)
    return later / (end - start) / (row["expected"] / row["ideal"]) if end > start + 10 else None


def line(result):
    s = result["sum"]
    error = result["submitted"].get("error")
    return (f"{result['scenario']} {result['contender']}: {s['through']} of {s['expected']} through in "
            f"{number(s['time'])} s ({number(s['ratio'])} x ideal), {s['refused']} refused, {s['blocks']} blocks, "
            f"{s['duplicates']} duplicates" + (f"; submission: {error}" if error else ""))


def number(value):
    if math.isinf(value):
        return "inf"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def share(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)] if ordered else math.inf


def batch_of(result, name):
    times, waits = [], []
    for ledger in result["sites"].values():
        found = ledger["batches"].get(name, {})
        times += found.get("times", [])
        waits += found.get("waits", [])
    return times, waits


def table(scenario, rows):
    """Prints the scenario's tables in Markdown."""
    first = rows[0]["sum"]
    print(f"\n### {scenario.name}: {first['messages']} messages, {len(scenario.sites)} sites, ideal "
          f"{number(first['ideal'])} s\n")
    if scenario.about:
        print(scenario.about + "\n")
    restarted = any("restarted" in row for row in rows)
    print("| | through | time s | x ideal | refused | % | early | later | " + ("after restart | " if restarted else "")
          + "blocks | grey, unknown… | dup | conns | open | worst site |\n|---|" + "---|" * (13 + restarted))
    for row in rows:
        s = row["sum"]
        print(f"| {row['contender']} | {s['through']} of {s['expected']} | {number(s['time'])} | {number(s['ratio'])} | "
              f"{s['refused']} | {s['refused_per_cent']:.2f} | {s['early']} | {s['later']} | "
              + (f"{s['after_restart']} | " if restarted else "") +
              f"{s['blocks']} | {s['other']} | {s['duplicates']} | {s['connections']} | {s['most_open']} | "
              f"{s['worst_site'][1]} {number(s['worst_site'][0])} |")
    print("\n| site | ideal s | " + " | ".join(
        f"{row['contender']}: got | x ideal | after 1 min | refused | blocked | conns" for row in rows) + " |")
    print("|---|---|" + "---|" * (6 * len(rows)))
    for name in scenario.sites:
        cells = []
        for row in rows:
            s = row["sites"][name]["sum"]
            blocked = s["kinds"].get("blocked", 0)
            steadily = "" if s["steady"] is None else f"{s['steady']:.2f}"
            cells.append(f"{s['through']}/{s['expected']} | {number(s['ratio'])} | {steadily} | "
                         f"{s['refused'] - blocked} | {blocked} | {s['connections']} (≤{s['most_open']})")
        print(f"| {name} | {number(rows[0]['sites'][name]['sum']['ideal'])} | " + " | ".join(cells) + " |")
    if scenario.baseline:
        compare(scenario, rows)
    ratios(rows)


def compare(scenario, rows):
    """The baseline's batches in the whole run and alone: when the last of them came, how long each one waited."""
    print("\n| batch | contender | got | time s | alone | ratio | p50 wait s | alone | p99 wait s | alone | ratio |")
    print("|---|---|---|" + "---|" * 8)
    for name in scenario.baseline:
        expected = scenario.deliverable(scenario.batches[name])
        for row in rows:
            got, ends, p50, p99 = [], [], [], []
            for times, waits in (batch_of(row, name), batch_of(row["alone"], name)):
                got.append(len(times))
                ends.append(max(times) if times and len(times) >= expected else math.inf)
                p50.append(share(waits, 0.5))
                # A message that never came has waited longest.
                p99.append(share(waits + [math.inf] * (expected - len(times)), 0.99))
            print(f"| {name} | {row['contender']} | {got[0]}, {got[1]} of {expected} | {number(ends[0])} | "
                  f"{number(ends[1])} | {quotient(ends)} | {number(p50[0])} | {number(p50[1])} | {number(p99[0])} | "
                  f"{number(p99[1])} | {quotient(p99)} |")


def quotient(pair):
    return f"{pair[0] / pair[1]:.3f}" if all(map(math.isfinite, pair)) and pair[1] else "–"


def ratios(rows):
    base = {row["contender"]: row for row in rows}.get("millrace")
    if not base:
        return
    for row in rows:
        if row is base:
            continue
        a, b = base["sum"], row["sum"]
        ends = math.isfinite(a["time"]), math.isfinite(b["time"])
        time = (f"{a['time'] / b['time']:.2f}" if all(ends) else "only millrace finished" if ends[0] else
                f"only {row['contender']} finished" if ends[1] else "neither finished")
        print(f"\nmillrace / {row['contender']}: time {time}, through {a['through'] / max(1, b['through']):.2f}, "
              f"refused {a['refused']} / {b['refused']}, blocks {a['blocks']} / {b['blocks']}")
    print(flush=True)


def overview(results):
    """Prints one row a scenario: what each contender came to."""
    names = list(dict.fromkeys(row["contender"] for row in results))
    print("\n| scenario | ideal s | " + " | ".join(f"{name}: through | x ideal | refused % | blocks" for name in names)
          + " |\n|---|---|" + "---|" * (4 * len(names)))
    for scenario in dict.fromkeys(row["scenario"] for row in results):
        sums = {row["contender"]: row["sum"] for row in results if row["scenario"] == scenario}
        cells = [f"{100 * s['through'] / max(1, s['expected']):.0f} % | {number(s['ratio'])} | "
                 f"{s['refused_per_cent']:.2f} | {s['blocks']}" for s in (sums[name] for name in names)]
        print(f"| {scenario} | {number(next(iter(sums.values()))['ideal'])} | " + " | ".join(cells) + " |")
    print(flush=True)
