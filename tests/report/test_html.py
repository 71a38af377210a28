"""conformance.report.html: one page, whole and harmless."""

from __future__ import annotations

from html.parser import HTMLParser

from conformance.report.html import page
from conformance.verdict import Finding, Verdict
from tests.plugin.fakes import TARGET
from tests.report.sample import report

VOID = {"meta", "link", "br", "input"}


class Reader(HTMLParser):
    """Keeps what a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See whether it was the last to be opened."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        if not {"script", "style"} & set(self.open):
            self.seen.append(data)

    @property
    def text(self) -> str:
        """All that is read."""
        return " ".join(self.seen)


def test_the_page_is_well_formed() -> None:
    """Every element that is opened is closed, in order."""
    read = Reader(page(report(evidence={"a": [1, {"b": "c"}]})))
    assert read.wrong == []
    assert read.open == []


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """No script, style, image or font is loaded: only links to sources lead away."""
    read = Reader(page(report()))
    loading = [(tag, held) for tag, held in read.tags if held.get("src") or tag in ("link", "img", "iframe")]
    assert loading == []
    policy = [held for tag, held in read.tags if held.get("http-equiv") == "Content-Security-Policy"]
    assert str(policy[0]["content"]).startswith("default-src 'none'")
    links = [str(held["href"]) for _, held in read.tags if "href" in held]
    assert not [link for link in links if not link.startswith(("https://", "#"))]


def test_texts_of_the_target_are_texts() -> None:
    """Markup in what a target said is shown, not run; and what UTF-8 can't hold does not break the page."""
    text = page(report(evidence="</pre><script>alert(2)</script>"))
    read = Reader(text)
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert "<script>alert(1)</script>" in read.text
    assert "</pre><script>alert(2)</script>" in read.text
    text.encode("utf-8")


def test_every_requirement_is_on_the_page_with_its_verdict() -> None:
    """Without any script a reader finds each requirement, folded, and those that didn't pass at the top."""
    found = report()
    read = Reader(page(found))
    rows = {
        held["id"]: held["data-verdict"]
        for tag, held in read.tags
        if "data-verdict" in held and tag == "details"
    }
    assert rows == {one["id"]: one["verdict"] for one in found["requirements"]}
    assert {held["href"] for tag, held in read.tags if tag == "a"} >= {"#API-02", "#SUB-01", "#SUB-04"}
    assert not [held for _, held in read.tags if "hidden" in held]


def test_flat_rows_are_a_table_and_the_rest_is_yaml() -> None:
    """Events and requests are read as tables, manifests as YAML, both cut when they are long."""
    events = [{"reason": "Failed", "count": 3, "user": None}, {"reason": "Pulled", "count": 1, "user": None}]
    text = page(report(evidence=events))
    assert "<th>reason</th><th>count</th></tr>" in text
    assert '<td class="number">3</td>' in text
    pod = {"kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "one"}}
    assert "<pre>kind: Pod\nmetadata:\n  labels: {a: b}\nspec: {nodeName: one}</pre>" in page(
        report(evidence=pod)
    )
    assert "more characters in conformance.json" in page(report(evidence={"log": "x" * 20_000}))
    assert "800 more in conformance.json" in page(report(evidence=[{"a": 1}] * 1000))


def test_the_reference_cluster_is_named() -> None:
    """The page says when no real cluster was judged."""
    assert "judges no real cluster" in Reader(page(report(target={**TARGET, "reference": True}))).text
    assert "judges no real cluster" not in Reader(page(report())).text


def test_a_run_without_a_target_has_a_page() -> None:
    """A refused run knows of no target, and is told all the same."""
    findings = {"API-01": Finding(verdict=Verdict.INCONCLUSIVE, reason="its check did not run")}
    assert "its check did not run" in Reader(page(report(findings, target={}))).text


def test_what_the_probe_saw_is_a_table_of_files() -> None:
    """A tree is read as a table: one line a file, the mode in octal, no columns that are empty everywhere."""
    entry = {"type": "file", "mode": 0o644, "size": 3, "target": None, "xattrs": {}}
    odd = {**entry, "xattrs": {"user.a": "00"}}
    said = [
        {"look": "tree", "arguments": ["/vol"], "answer": {"entries": {"a.txt": entry, "bad\udcff": odd}}},
        {"look": "writes", "arguments": ["/vol"], "answer": {"mkdir": "EROFS"}},
        {"look": "tree", "arguments": ["/nope"], "answer": {"errno": "ENOENT"}},
    ]
    text = page(report(evidence=said))
    assert "<p>tree /vol</p>" in text
    assert "<th>path</th><th>type</th><th>mode</th><th>size</th><th>xattrs</th></tr>" in text
    assert "<td>a.txt</td><td>file</td><td>0644</td>" in text
    assert "<td>bad\\udcff</td>" in text
    assert "<pre>{mkdir: EROFS}</pre>" in text
    assert Reader(text).wrong == []
