"""One self-contained HTML page: readable without scripts, without network, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from conformance.report import traceability
from conformance.report.terminal import NO_REAL_CLUSTER, duration
from conformance.verdict import Verdict, Word

Json = Mapping[str, Any]

_FOLDER = Path(__file__).parent
_FastDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the first where PyYAML was built with libyaml
_LONGEST = 12_000  # characters of one piece of evidence; the JSON has all of it
_MOST_ROWS = 200
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_ATTENTION = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED, Verdict.WAIVED)
_RESULT_TONES = {
    Word.CONFORMANT: Verdict.PASS,
    Word.NOT_CONFORMANT: Verdict.FAIL,
}


def page(report: Json) -> str:
    """Draw the report as one page."""
    style = (_FOLDER / "page.css").read_text(encoding="utf-8")
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    areas = [area for area in report["areas"] if any(area["counts"].values())]
    by_area = {
        area["name"]: [one for one in report["requirements"] if one["area"] == area["name"]] for area in areas
    }
    verdicts = [verdict for verdict in Verdict if report["counts"][verdict]]
    sections = "".join(_section(area, by_area[area["name"]]) for area in areas)
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Image volumes: {escape(report["result"]["word"])}</title>
<style>
{style}</style>
</head>
<body>
<main>
{_header(report)}
{_attention(report["requirements"])}
{_areas(areas, report["counts"], verdicts)}
{_filters(areas, report["counts"], verdicts)}
<p class="empty">Nothing matches these filters.</p>
{sections}
{traceability.sections(report.get("traceability") or ())}
{_footer(report)}
</main>
<script>
{script}</script>
</body>
</html>
"""
    # A lone surrogate (of a file name that is not UTF-8) is shown as its number; a page can't hold it.
    return text.encode(errors="backslashreplace").decode()


def _header(report: Json) -> str:
    result, target = report["result"], report["target"]
    tone = _RESULT_TONES.get(result["word"], Verdict.INCONCLUSIVE)
    notice = f'<p class="notice">{escape(NO_REAL_CLUSTER)}</p>' if target.get("reference") else ""
    left = [f"<li>{escape(one)}</li>" for one in report["run"]["leftovers"]]
    leftovers = (
        f'<div class="notice">Left behind on the cluster:<ul>{"".join(left)}</ul></div>' if left else ""
    )
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in _facts(report)
        if value
    )
    word = str(result["word"])
    return f"""<header>
<p class="product">Kubernetes image volumes: conformance</p>
<h1 class="{_class(tone)}" style="color: var(--tone)">{escape(word[:1].upper() + word[1:])}</h1>
<p class="sentence">{escape(_after_the_word(result))}</p>
{notice}{leftovers}
<dl class="facts">{facts}</dl>
</header>"""


def _after_the_word(result: Json) -> str:
    """The sentence without the word that stands above it."""
    rest = str(result["sentence"]).removeprefix(str(result["word"])).lstrip(",: ")
    return (
        rest[:1].upper() + rest[1:] + "." if rest else "Every required requirement that has a check passes."
    )


def _attention(requirements: Sequence[Json]) -> str:
    """What a reader looks for first, each with a link to all that is known of it."""
    rows = "".join(
        f'<li class="{_class(verdict)}"><span class="verdict">{escape(_word(one))}</span>'
        f'<a href="#{escape(one["id"])}">{escape(one["id"])}</a> {escape(one["title"])}'
        f'<span class="strength">{escape(one["strength"])}</span></li>'
        for verdict in _ATTENTION
        for one in requirements
        if one["verdict"] == verdict
    )
    return f'<h2>Not passed</h2><ul class="attention">{rows}</ul>' if rows else ""


def _facts(report: Json) -> list[tuple[str, Any]]:
    """What the head of the page tells of target and run."""
    target, run = report["target"], report["run"]
    under_test = target.get("nodes_under_test") or []
    nodes = [node for node in target.get("nodes") or [] if node["name"] in under_test]
    wait = run["longest_wait"]
    lacks = target.get("lacks") or {}
    return [
        ("API server", target.get("server")),
        ("Kubernetes", str(target.get("kubernetes") or "").removeprefix("v")),
        ("Nodes judged", ", ".join(under_test)),
        ("Node class", ", ".join(dict.fromkeys(node["class"] for node in nodes))),
        ("Kubelet", ", ".join(dict.fromkeys(str(node.get("kubelet", "")) for node in nodes))),
        ("Kernel", ", ".join(dict.fromkeys(str(node.get("kernel", "")) for node in nodes))),
        ("Lacks", "; ".join(f"{need} ({one['kind']}): {one['text']}" for need, one in lacks.items())),
        ("Remark", target.get("remark")),
        ("Started", run["started"]),
        ("Took", f"{duration(run['duration'])}: {run['checks']} checks, {run['pods']} Pods"),
        ("Longest wait", f"{wait['seconds']:.1f} s for {wait['what']}" if wait else ""),
        ("Profile", run["options"].get("profile")),
        ("Suite", f"{run['suite_version']}, run {run['id']}"),
        ("Requirements", f"{len(report['requirements'])}, {str(run['catalogue_digest'])[:19]}"),
    ]


def _areas(areas: Sequence[Json], total: Json, verdicts: Sequence[Verdict]) -> str:
    """The table of areas and verdicts."""

    def row(title: str, counts: Json, kind: str = "") -> str:
        cells = "".join(
            f"<td>{counts[verdict]}</td>" if counts[verdict] else '<td class="none">·</td>'
            for verdict in verdicts
        )
        return f'<tr class="{kind}"><td>{title}</td>{cells}</tr>'

    heads = "".join(
        f'<th class="{_class(verdict)}"><span class="verdict">{verdict}</span></th>' for verdict in verdicts
    )
    rows = "".join(
        row(f'<a href="#area-{escape(area["name"])}">{escape(area["title"])}</a>', area["counts"])
        for area in areas
    )
    return f'<table class="areas"><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}{row("Total", total, "total")}</tbody></table>'


def _filters(areas: Sequence[Json], total: Json, verdicts: Sequence[Verdict]) -> str:
    """The filters; the style sheet hides them where scripts don't run."""
    buttons = "".join(
        f'<button type="button" class="{_class(verdict)}" value="{verdict}" aria-pressed="true" '
        f'title="Alt+click shows only these">{verdict} {total[verdict]}</button>'
        for verdict in verdicts
    )
    choices = "".join(
        f'<option value="{escape(area["name"])}">{escape(area["title"])}</option>' for area in areas
    )
    return (
        f'<div class="filters">{buttons}<select id="area" aria-label="Area"><option value="">all areas</option>{choices}</select>'
        '<input id="words" type="search" placeholder="id or words" aria-label="Words"></div>'
    )


def _section(area: Json, requirements: Sequence[Json]) -> str:
    rows = "".join(_requirement(one) for one in requirements)
    name = escape(area["name"])
    return (
        f'<section data-area="{name}" id="area-{name}"><h2>{escape(area["title"])}'
        f"<small>{len(requirements)} requirements</small></h2>{rows}</section>"
    )


def _requirement(one: Json) -> str:
    """One requirement: a line, and all that is known of it folded below."""
    verdict = Verdict(one["verdict"])
    reason = f'<span class="reason">{_prose(one["reason"])}</span>' if _worth_telling(one) else ""
    text = " ".join(
        [
            one["id"],
            one["title"],
            one["statement"],
            one["owner"],
            one["strength"],
            one["reason"],
            *one.get("traces", []),
        ]
    ).lower()
    return f"""<details class="requirement {_class(verdict)}" id="{escape(one["id"])}" data-area="{escape(one["area"])}" \
data-verdict="{verdict}" data-text="{escape(text)}">
<summary><span class="verdict">{escape(_word(one))}</span><span class="id">{escape(one["id"])}</span>\
<span class="name">{escape(one["title"])}</span><span class="strength">{escape(one["strength"])}</span>{reason}</summary>
<div class="body">{"".join(_body(one))}</div>
</details>
"""


def _prose(text: str) -> str:
    """A text in which `this` is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _word(one: Json) -> str:
    """A verdict with what is special about it."""
    if one["stale"]:
        return f"{one['verdict']}, stale waiver"
    kind = f", {one['kind']}" if one["kind"] else ""
    return f"{one['verdict']}{kind}"


def _worth_telling(one: Json) -> bool:
    """Whether a requirement's reason stands in its line."""
    return bool(one["reason"]) and one["verdict"] not in (Verdict.NOT_SELECTED, Verdict.NOT_VERIFIED)


def _body(one: Json) -> Iterable[str]:
    yield f"<p>{_prose(one['statement'])}</p>"
    yield f'<p class="strength">{escape(one["strength"])}, owned by the {escape(one["owner"])}</p>'
    if one["reason"]:
        yield f"<h3>Why {escape(_word(one))}</h3><p>{_prose(one['reason'])}</p>"
    if one["defects"]:
        yield "<h3>Known upstream defects</h3>" + "".join(
            f"<p>{escape(defect)}</p>" for defect in one["defects"]
        )
    if one["observed"]:
        rows = [{"what": seen["text"], "value": _as_text(seen["value"])} for seen in one["observed"]]
        yield "<h3>Observed</h3>" + _table(rows)
    if one["checks"]:
        yield "<h3>Checks</h3>" + _checks(one["checks"])
    if one["evidence"]:
        yield "<h3>Evidence</h3>" + _all_evidence(one["evidence"])
    if one.get("traces"):
        links = ", ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in one["traces"])
        yield f"<h3>Stands behind</h3><p>{links}</p>"
    yield "<h3>Sources</h3>" + "".join(f"<p>{_prose(source)}</p>" for source in one["source"])
    yield "".join(f'<p><a href="{escape(link)}">{escape(link)}</a></p>' for link in one["links"])
    if one["checks"]:
        yield f"<h3>Again</h3><pre>python -m conformance run --requirement {escape(one['id'])}</pre>"


def _checks(checks: Sequence[Json]) -> str:
    """The checks of a requirement with what each said; their docstring once."""
    descriptions = dict.fromkeys(check["description"] for check in checks if check["description"])
    rows = [
        {
            "verdict": check["verdict"] + (f", {check['kind']}" if check["kind"] else ""),
            "check": check["check"],
            "seconds": f"{check['duration']:.1f}",
            "node class": check["node_class"],
            "reason": check["reason"],
        }
        for check in checks
    ]
    return "".join(f'<p class="described">{_prose(text)}</p>' for text in descriptions) + _table(rows)


def _all_evidence(evidence: Sequence[Json]) -> str:
    """The evidence of a requirement; that of each check folded, if there are several."""
    by_check: dict[str, list[Json]] = {}
    for item in evidence:
        by_check.setdefault(item["check"], []).append(item)
    drawn = {check: "".join(_evidence(item) for item in items) for check, items in by_check.items()}
    if len(drawn) == 1:
        return next(iter(drawn.values()))
    return "".join(
        f'<details class="evidence"><summary>{escape(check.rpartition("::")[2])}</summary>'
        f'<div class="body">{text}</div></details>'
        for check, text in drawn.items()
    )


def _evidence(item: Json) -> str:
    """One piece of evidence, folded. Waits are a line."""
    seconds = f" ({item['seconds']:.1f} s)" if item.get("seconds") is not None else ""
    head = f'<span class="kind">{escape(item["kind"])}</span> {escape(str(item["title"]))}{seconds}'
    data = item.get("data")
    if data is None or data in ([], {}):
        return f'<p class="evidence">{head}{"" if data is None else ": none"}</p>'
    drawn = _probe(data) if item["kind"] == "probe" and _is_probe(data) else _data(data)
    return f'<details class="evidence"><summary>{head}</summary>{drawn}</details>'


def _is_probe(data: Any) -> bool:
    """Whether a value is what the probe said: a list of looks with their answers."""
    return isinstance(data, list) and all(
        isinstance(line, Mapping) and {"look", "arguments", "answer"} <= line.keys() for line in data
    )


def _probe(lines: Sequence[Json]) -> str:
    """What the probe said, look by look; a tree as a table of its files."""
    drawn = []
    for line in lines:
        drawn.append(f"<p>{escape(' '.join(map(str, [line['look'], *line['arguments']])))}</p>")
        answer = line["answer"]
        entries = answer.get("entries") if isinstance(answer, Mapping) else None
        if entries and isinstance(entries, Mapping):
            drawn.append(_data([{"path": path, **_readable(entry)} for path, entry in entries.items()]))
        else:
            drawn.append(_data(answer))
    return "".join(drawn)


def _readable(entry: Json) -> Json:
    """A file's entry as a person reads it: the mode in octal, no empty attributes."""
    mode = entry.get("mode")
    shown = {name: value for name, value in entry.items() if name != "xattrs" or value}
    if "xattrs" in shown:
        shown["xattrs"] = _as_text(shown["xattrs"])
    return shown | ({"mode": f"{mode:04o}"} if isinstance(mode, int) else {})


def _data(data: Any) -> str:
    """A JSON value for a reader: rows as a table, everything else as YAML."""
    if _is_table(data):
        more = f"<p>… {len(data) - _MOST_ROWS} more in conformance.json</p>" if len(data) > _MOST_ROWS else ""
        return _table(data[:_MOST_ROWS]) + more
    text = _as_text(data)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}\n… {len(text) - _LONGEST} more characters in conformance.json"
    return f"<pre>{escape(text)}</pre>"


def _as_text(data: Any) -> str:
    if isinstance(data, str):
        return data
    try:
        text = _as_yaml(data, _FastDumper)
    except UnicodeEncodeError:  # by a lone surrogate of a file name that is not UTF-8
        text = _as_yaml(data, yaml.SafeDumper)
    return text.rstrip("\n. ")


def _as_yaml(data: Any, dumper: Any) -> str:
    return str(
        yaml.dump(
            data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None
        )
    )


def _is_table(data: Any) -> bool:
    """Whether a value is a list of flat objects."""
    return isinstance(data, list) and all(
        isinstance(row, Mapping)
        and 0 < len(row) <= 12
        and not any(isinstance(cell, Mapping | list) for cell in row.values())
        for row in data
    )


def _table(rows: Sequence[Json]) -> str:
    """Flat objects as a table; columns that are empty everywhere are left out."""
    names = dict.fromkeys(name for row in rows for name, cell in row.items() if cell not in (None, ""))
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in names)
    body = "".join("<tr>" + "".join(_cell(row.get(name)) for name in names) + "</tr>" for row in rows)
    return f'<div class="table"><table class="data"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="number">{value}</td>'
    return f"<td>{escape('' if value is None else str(value))}</td>"


def _footer(report: Json) -> str:
    run = report["run"]
    return (
        f"<footer>Drawn from conformance.json, schema version {report['schema_version']}. Suite {escape(run['suite_version'])}, "
        f"requirements {escape(run['catalogue_digest'])}.</footer>"
    )


def _class(verdict: str) -> str:
    return str(verdict).replace(" ", "-")
