"""The summary that a person reads in a terminal, 80 to 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conformance.report import traceability
from conformance.verdict import Verdict

Json = Mapping[str, Any]

NO_REAL_CLUSTER = (
    "The target is the reference cluster, a model in this repository: this run judges no real cluster."
)

_COLUMNS = (
    (Verdict.PASS, "pass"),
    (Verdict.FAIL, "fail"),
    (Verdict.INCONCLUSIVE, "inconcl."),
    (Verdict.UNSUPPORTED, "unsup."),
    (Verdict.OBSERVED, "observed"),
    (Verdict.WAIVED, "waived"),
    (Verdict.NOT_SELECTED, "not sel."),
    (Verdict.NOT_VERIFIED, "not ver."),
)
_TOLD_ONE_BY_ONE = (
    (Verdict.FAIL, "Failed"),
    (Verdict.INCONCLUSIVE, "Inconclusive: the environment or the suite could not tell"),
    (Verdict.UNSUPPORTED, "Unsupported: the target lacks it and refuses it visibly"),
    (Verdict.WAIVED, "Waived: known upstream defects"),
    (Verdict.OBSERVED, "Observed: behaviour that nobody promised"),
)
_TOLD_TOGETHER = (
    (Verdict.NOT_SELECTED, "not selected"),
    (Verdict.NOT_VERIFIED, "not verified: no check yet"),
)
_MANY = 25  # so many requirements with the same reason are told without their titles


def header(target: Json, *, width: int = 100) -> list[str]:
    """What is judged, for the first lines of a run."""
    lines = [NO_REAL_CLUSTER] if target.get("reference") else []
    kubernetes = str(target.get("kubernetes", "")).removeprefix("v")
    lines.append(
        f"target: {target.get('server', 'none')}{f', Kubernetes {kubernetes}' if kubernetes else ''}"
    )
    under_test = target.get("nodes_under_test") or []
    lines += [
        f"node:   {node['name']} ({node['class']}, kubelet {node.get('kubelet', '?')}, kernel {node.get('kernel', '?')})"
        for node in target.get("nodes") or []
        if node["name"] in under_test
    ]
    for need, lack in (target.get("lacks") or {}).items():
        lines += _wrapped(f"lacks:  {need} ({lack['kind']}): {lack['text']}", width, hanging="        ")
    if target.get("remark"):
        lines += _wrapped(f"remark: {target['remark']}", width, hanging="        ")
    return [printable(line) for line in lines]


def summary(report: Json, *, width: int = 100, introduced: bool = False) -> list[str]:
    """The lines of the summary, without the last one (`final_line`).

    introduced: whether `header` stands some lines above already.
    """
    target = report["target"]
    lines = [""]
    if not introduced:
        lines += header(target, width=width)
    elif target.get("reference"):
        lines += _wrapped(NO_REAL_CLUSTER, width)
    lines.append("")
    lines += table(report["areas"], report["counts"], width=width)
    for verdict, heading in _TOLD_ONE_BY_ONE:
        found = [one for one in report["requirements"] if one["verdict"] == str(verdict)]
        if found:
            lines += ["", heading, *_details(found, width)]
    lines += _stale(report["requirements"], width)
    for verdict, heading in _TOLD_TOGETHER:
        ids = [one["id"] for one in report["requirements"] if one["verdict"] == str(verdict)]
        if ids:
            # What a person left out on purpose is known to them.
            named = verdict is not Verdict.NOT_SELECTED or len(ids) < _MANY
            lines += ["", *_wrapped(f"{len(ids)} {heading}" + (f": {ranges(ids)}" if named else ""), width)]
    traced = traceability.lines(report.get("traceability") or ())
    if traced:
        lines += ["", *(line for one in traced for line in _wrapped(one, width, hanging="  "))]
    lines += ["", *_facts(report["run"], width), "", *_wrapped(report["result"]["sentence"], width)]
    return [printable(line) for line in lines]


def printable(text: str) -> str:
    """A text that does nothing to a terminal: control characters, and what no stream carries, become their
    numbers.

    Reasons hold what a target said, and a target may say anything.
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def final_line(report: Json) -> str:
    """The last line of a run: `result: conformant (exit code 0)`."""
    return result_line(report["result"]["word"], report["result"]["exit_code"])


def result_line(word: str, exit_code: int) -> str:
    """The last line of a run that ends with a word and an exit code."""
    return f"result: {word} (exit code {exit_code})"


def table(areas: Sequence[Json], total: Json, *, width: int) -> list[str]:
    """A line an area with the number of each verdict. Verdicts and areas without any are left out."""
    columns = [(str(verdict), title) for verdict, title in _COLUMNS if total[str(verdict)]]
    widths = [max(len(title), 4) for _, title in columns]
    room = width - sum(widths) - 2 * len(widths)
    first = min(max([len(area["title"]) for area in areas] + [5]), max(room, 12))

    def line(title: str, cells: Iterable[str]) -> str:
        numbers = "".join(f"  {cell:>{size}}" for cell, size in zip(cells, widths, strict=True))
        return f"{shortened(title, first):<{first}}{numbers}".rstrip()

    def row(title: str, numbers: Json) -> str:
        return line(title, [str(numbers[verdict] or "·") for verdict, _ in columns])

    return [
        line("", [title for _, title in columns]),
        *(row(area["title"], area["counts"]) for area in areas if _judged(area["counts"])),
        row("total", total),
    ]


def _judged(counts: Json) -> bool:
    """Whether anything of an area was selected."""
    return any(number for verdict, number in counts.items() if verdict != str(Verdict.NOT_SELECTED))


def ranges(ids: Sequence[str]) -> str:
    """Ids in order, neighbours drawn together: `API-01, API-03 to API-07`."""
    runs: list[list[str]] = []
    for one in ids:
        if runs and _next(runs[-1][-1]) == one:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _next(one: str) -> str:
    """The id that follows another in its area."""
    area, _, number = one.rpartition("-")
    return f"{area}-{int(number) + 1:02}" if number.isdecimal() else ""


def shortened(text: str, width: int) -> str:
    """A text that fits, with an ellipsis where it was cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _details(requirements: Sequence[Json], width: int) -> list[str]:
    """Each requirement with its reason; a reason that many share is told once, below all of them."""
    groups: dict[str, list[Json]] = {}
    for one in requirements:
        groups.setdefault(one["reason"], []).append(one)
    lines = []
    for reason, group in groups.items():
        told = _wrapped(reason, width, indent="      ")
        if len(group) == 1:
            lines += [*_title(group[0], width), *told, *_ground(group[0], width)]
        elif len(group) < _MANY:
            lines += [line for one in group for line in (*_title(one, width), *_ground(one, width))]
            lines += told
        else:
            ids = ranges([one["id"] for one in group])
            lines += _wrapped(f"{len(group)} requirements: {ids}", width, indent="  ", hanging="    ")
            lines += told
    return lines


def _title(one: Json, width: int) -> list[str]:
    kind = f", {one['kind']}" if one["kind"] else ""
    told = f"{one['id']:<8} {one['title']} ({one['strength']}, {one['owner']}{kind})"
    return _wrapped(told, width, indent="  ", hanging="           ")


def _ground(one: Json, width: int) -> list[str]:
    """Which defect explains a requirement's failure, or which checks gave its verdict."""
    lines = []
    for defect in one["defects"]:
        lines += _wrapped(f"known defect: {defect}", width, indent="      ")
    if one["verdict"] in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        decisive = [check["check"] for check in one["checks"] if check["verdict"] == one["verdict"]]
        lines += [f"      {check}" for check in _without_cases(decisive)]
    return lines


def _without_cases(checks: Sequence[str]) -> list[str]:
    """Checks by name; several cases of one are counted instead of listed."""
    cases: dict[str, list[str]] = {}
    for check in checks:
        cases.setdefault(check.partition("[")[0], []).append(check)
    return [f"{name} ({len(found)} cases)" if len(found) > 1 else found[0] for name, found in cases.items()]


def _stale(requirements: Sequence[Json], width: int) -> list[str]:
    """Requirements that pass although a known defect says that they fail here."""
    stale = [one for one in requirements if one["stale"]]
    if not stale:
        return []
    lines = ["", "Stale: passes although the list of known defects says that it fails here"]
    return lines + [line for one in stale for line in _title(one, width)]


def _facts(run: Json, width: int) -> list[str]:
    """Time, Pods, the longest wait, what is left behind."""
    lines = [f"{run['checks']} checks, {run['pods']} Pods, {duration(run['duration'])}"]
    wait = run["longest_wait"]
    if wait:
        lines += _wrapped(
            f"longest wait: {wait['seconds']:.1f} s for {wait['what']} ({wait['check']})", width
        )
    for left in run["leftovers"]:
        lines += _wrapped(f"left behind: {left}", width)
    return lines


def duration(seconds: float) -> str:
    """`12.3 s`, or `4 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


def _wrapped(text: str, width: int, *, indent: str = "", hanging: str | None = None) -> list[str]:
    """A text in lines that fit."""
    after = indent if hanging is None else hanging
    return textwrap.wrap(
        text,
        width=width,
        initial_indent=indent,
        subsequent_indent=after,
        break_long_words=False,
        break_on_hyphens=False,
    )
