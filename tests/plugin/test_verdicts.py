"""conformance.plugin: from what a check does to the verdict on its requirements."""

from __future__ import annotations

import pytest

from tests.plugin.fakes import TARGET
from tests.plugin.suite import Suite

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("body", "verdict", "reason"),
    [
        ("pass", "pass", ""),
        ("assert 1 == 2, 'one is two'", "fail, violated", "one is two"),
        ("assert 1 == 2", "fail, violated", "assert 1 == 2"),
        (
            "assert 0, ignored(when=True, what='the subPath')",
            "fail, ignored",
            "the subPath was accepted and had no effect",
        ),
        ("assert 0, ignored(when=False, what='the subPath')", "fail, violated", "assert 0"),
        ("assert 0, unstable(when=True, what='2 of 10 differ')", "fail, unstable", "2 of 10 differ"),
        ("raise Inapplicable('of Kubernetes up to 1.35')", "not selected", "of Kubernetes up to 1.35"),
        (
            "raise Lacking('there is one', need='two nodes')",
            "inconclusive",
            "there is one; missing: two nodes",
        ),
        ("raise Unsupported('mount.HostPath is empty')", "unsupported", "mount.HostPath is empty"),
        (
            "raise Inconclusive('no answer', missing='time')",
            "inconclusive",
            "no answer; missing: time",
        ),
        ("{}['key']", "inconclusive", "KeyError: 'key'"),
        (
            "pytest.skip('not today')",
            "inconclusive",
            "the check skipped itself, which is no verdict: not today",
        ),
        ("pytest.fail('no')", "inconclusive", "Failed: no"),
        ("import json; json.loads('{')", "inconclusive", "JSONDecodeError: Expecting property name"),
        ("raise ExceptionGroup('two', [AssertionError('a')])", "inconclusive", "ExceptionGroup: two"),
    ],
)
def test_what_a_check_raises_becomes_its_verdict(suite: Suite, body: str, verdict: str, reason: str) -> None:
    """Only the check's own assertion blames the target; a refusal is unsupported; all else inconclusive."""
    suite.checks(f"""
        @verifies("SUB-01")
        def test_it():
            {body}
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == verdict
    assert done.requirement("SUB-01")["reason"].startswith(reason)


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_assertion_in_a_fixture_blames_nobody(suite: Suite, when: str) -> None:
    """An AssertionError in set-up or tear-down is the suite's own trouble: inconclusive."""
    suite.checks(f"""
        @pytest.fixture
        def thing():
            if {when == "before"}:
                assert False, "broken"
            yield
            assert False, "broken"

        @verifies("SUB-01")
        def test_it(thing):
            pass
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == "inconclusive"
    assert "an assertion failed outside the check: broken" in done.requirement("SUB-01")["reason"]
    assert done.code == 10


def test_an_assertion_in_a_library_blames_nobody(suite: Suite) -> None:
    """An AssertionError that the check's own file does not raise is inconclusive, also in its call."""
    (suite.folder / "library.py").write_text(
        "def parse():\n    assert False, 'unreachable'\n", encoding="utf-8"
    )
    suite.pytester.syspathinsert()
    suite.checks("""
        import library

        @verifies("SUB-01")
        def test_it():
            library.parse()
    """)
    assert suite.run().verdict("SUB-01") == "inconclusive"


def test_a_failure_outweighs_trouble_while_cleaning_up(suite: Suite) -> None:
    """What was seen to be violated stays so when the tear-down fails too."""
    suite.checks("""
        @pytest.fixture
        def thing():
            yield
            raise RuntimeError("stuck")

        @verifies("SUB-01")
        def test_it(thing):
            assert False, "seen"
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == "fail, violated"
    assert done.requirement("SUB-01")["reason"] == "seen"


def test_a_refusal_while_preparing_is_unsupported(suite: Suite) -> None:
    """A fixture that meets the target's refusal says unsupported as the check itself would."""
    suite.checks("""
        @pytest.fixture
        def thing():
            raise Unsupported("refused")

        @verifies("SUB-01")
        def test_it(thing):
            pass
    """)
    assert suite.run().verdict("SUB-01") == "unsupported"


@pytest.mark.parametrize(
    ("raised", "lacks"),
    [
        ("Lacking('there is one node', need='two nodes')", ["two nodes"]),
        ("Unsupported('no artifacts', need='artifacts')", ["artifacts"]),
        ("Inconclusive('unclear')", []),
    ],
)
def test_the_report_tells_what_was_lacking(suite: Suite, raised: str, lacks: list[str]) -> None:
    """The need that the target does not offer reaches the controller, which weighs the run's result by it."""
    suite.checks(f"""
        @verifies("SUB-01")
        def test_it():
            raise {raised}
    """)
    assert suite.run().requirement("SUB-01")["lacks"] == lacks


def test_inconclusive_counts_as_error_and_fail_as_failure(suite: Suite) -> None:
    """Pytest's own counts, and whoever reads its JUnit file, see an error for a doubt in a check's call."""
    suite.checks("""
        @verifies("SUB-01")
        def test_doubt():
            raise Inconclusive("unclear")

        @verifies("SUB-02")
        def test_failure():
            assert False
    """)
    result = suite.pytester.runpytest_inprocess(*suite.options, "checks", "--junitxml=pytest.xml")
    result.assert_outcomes(failed=1, errors=1)
    text = (suite.folder / "pytest.xml").read_text(encoding="utf-8")
    assert 'errors="1" failures="1"' in text
    assert text.count("<error") == text.count("<failure") == 1
    assert "findings" not in text


def test_the_words_in_the_terminal_are_the_verdicts(suite: Suite) -> None:
    """With -v each check is followed by its verdict."""
    suite.checks("""
        @verifies("API-01")
        def test_a(): pass
        @verifies("SUB-01")
        def test_b(): assert 0, ignored(when=True, what="x")
        @verifies("SUB-02")
        def test_c(): raise Unsupported("no")
        @verifies("API-03")
        def test_d(observe): observe(1, "one")
        @verifies("API-04")
        def test_e(): raise Inconclusive("no")
    """)
    out = suite.run("-v").out
    for name, said in zip(
        "abcde", ["PASS", "FAIL (IGNORED)", "UNSUPPORTED", "OBSERVED", "INCONCLUSIVE"], strict=True
    ):
        assert f"test_{name} {said}" in out


def test_observed_behaviour_is_recorded_and_never_fails(suite: Suite) -> None:
    """For behaviour that nobody promised the value is kept, and an assertion only says that it differs."""
    suite.checks("""
        @verifies("API-03")
        def test_value(observe):
            observe({"mode": "0755"}, "mode of the root")

        @verifies("API-01")
        def test_pass(): pass

        @verifies("SUB-01")
        def test_required(): pass
    """)
    done = suite.run()
    assert done.verdict("API-03") == "observed"
    assert done.requirement("API-03")["reason"] == 'mode of the root: {"mode": "0755"}'
    seen = done.requirement("API-03")["observed"]
    assert [(one["text"], one["value"]) for one in seen] == [("mode of the root", {"mode": "0755"})]

    suite.checks("""
        @verifies("API-03")
        def test_value(): assert False, "another mode"
    """)
    done = suite.run()
    assert done.verdict("API-03") == "observed"
    assert done.requirement("API-03")["reason"] == "differs: another mode"


def test_one_check_speaks_for_all_its_requirements(suite: Suite) -> None:
    """A check that verifies several requirements gives each its verdict, each weighed by its own strength."""
    suite.checks("""
        @verifies("SUB-01", "API-03")
        @verifies("API-02")
        def test_it(): assert False, "seen"
    """)
    done = suite.run()
    found = [done.verdict(name) for name in ("SUB-01", "API-02", "API-03")]
    assert found == ["fail, violated", "fail, violated", "observed"]


def test_a_case_can_verify_a_requirement_of_its_own(suite: Suite) -> None:
    """The cases of a parameterized check may verify different requirements."""
    suite.checks("""
        @pytest.mark.parametrize("value", [
            pytest.param(1, marks=verifies("SUB-01")),
            pytest.param(2, marks=verifies("SUB-02")),
        ])
        def test_it(value): assert value == 1
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == "pass"
    assert done.verdict("SUB-02") == "fail, violated"


def test_the_evidence_of_the_decisive_check_is_in_the_report(suite: Suite) -> None:
    """What a check recorded stands under its requirement, with the traceback of what it raised."""
    suite.checks("""
        @verifies("SUB-01")
        def test_it(evidence):
            '''Given a Pod,
            then it runs.'''
            evidence.add("manifest", "the Pod", {"kind": "Pod"})
            with evidence.waiting("the Pod to start"):
                pass
            assert False, "not running"
    """)
    done = suite.run()
    one = done.requirement("SUB-01")
    assert [item["kind"] for item in one["evidence"]] == ["manifest", "wait", "traceback"]
    assert one["evidence"][0]["data"] == {"kind": "Pod"}
    assert one["evidence"][0]["check"] == "checks/test_one.py::test_it"
    assert one["checks"][0]["description"] == "Given a Pod,\nthen it runs."
    assert one["checks"][0]["node_class"] == "linux/amd64 containerd 2.3.4"
    assert done.report["run"]["pods"] == 1
    assert done.report["run"]["longest_wait"]["what"] == "the Pod to start"


def test_odd_names_in_evidence_survive(suite: Suite) -> None:
    """File names that are not UTF-8 are evidence like any other, and break no report."""
    suite.checks("""
        @verifies("SUB-01")
        def test_it(evidence):
            evidence.add("probe", "tree", {"bad\\udcff": 1})
            assert False, "seen bad\\udcff and \\x1b[31m"
    """)
    done = suite.run("-n1", apart=True)
    assert done.requirement("SUB-01")["evidence"][0]["data"] == {"bad\udcff": 1}
    assert done.verdict("SUB-01") == "fail, violated"


def test_what_is_not_json_does_not_cost_the_verdict(suite: Suite) -> None:
    """Evidence that JSON can't hold is kept as text, and the verdict is that of the check."""
    suite.checks("""
        @verifies("SUB-01")
        def test_it(evidence, observe):
            evidence.add("fact", "set", {"a": {1}})
            evidence.add("fact", "bytes", {b"a": 1})
            observe(object, "type")
            assert False, "seen"
    """)
    done = suite.run()
    assert done.requirement("SUB-01")["reason"] == "seen"
    data = [item["data"] for item in done.requirement("SUB-01")["evidence"][:2]]
    assert data == [{"a": "{1}"}, "{b'a': 1}"]


# --- known defects


def test_a_known_defect_waives_a_failure(suite: Suite) -> None:
    """A failure on the list for the target's versions is waived, named in the result, with its reason."""
    suite.target(defects=[["SUB-01", "containerd", ">=2.1,<2.4"]])
    suite.checks("""
        @verifies("API-01")
        def test_a(): pass
        @verifies("SUB-01")
        def test_b(): assert False, "seen"
    """)
    done = suite.run()
    assert done.code == 0
    assert done.verdict("SUB-01") == "waived, violated"
    assert done.requirement("SUB-01")["reason"] == "seen"
    assert done.report["result"]["sentence"].startswith("conformant, 1 known upstream defect: SUB-01")


def test_a_defect_of_other_versions_waives_nothing(suite: Suite) -> None:
    """A failure of a version that is not on the list is a failure."""
    suite.target(defects=[["SUB-01", "containerd", "<2.3"]])
    suite.checks("""
        @verifies("SUB-01")
        def test_b(): assert False
    """)
    assert suite.run().code == 1


def test_the_reference_cluster_has_no_known_defects(suite: Suite) -> None:
    """A fault of the reference cluster is never waived, whatever version it says it is."""
    suite.target(target={**TARGET, "reference": True}, defects=[["SUB-01", "containerd", ">=2.1"]])
    suite.checks("""
        @verifies("SUB-01")
        def test_b(): assert False
    """)
    assert suite.run().verdict("SUB-01") == "fail, violated"


def test_a_stale_defect_is_told(suite: Suite) -> None:
    """A requirement that passes although it is on the list is a pass, and the summary tells it."""
    suite.target(defects=[["SUB-01", "containerd", ">=2.1"]])
    suite.checks("""
        @verifies("SUB-01")
        def test_b(): pass
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == "pass"
    assert done.requirement("SUB-01")["stale"]
    assert "Stale" in done.out


# --- what the target lacks


def test_a_refused_feature_is_unsupported_and_its_checks_are_not_run(suite: Suite) -> None:
    """Where the runtime refuses image volumes, what needs them is unsupported, and the result says so."""
    suite.target(connection={"platform": {"mount": {"kind": "refused", "text": "mkdir: no such file"}}})
    suite.checks("""
        @verifies("API-01")
        def test_api(): pass
        @verifies("SUB-01")
        def test_mount(): assert False, "must not run"
        @verifies("SUB-03")
        def test_without(): pass
    """)
    done = suite.run()
    assert done.verdict("SUB-01") == "unsupported"
    assert done.requirement("SUB-01")["reason"] == "mkdir: no such file"
    assert done.verdict("SUB-03") == "pass"
    assert done.code == 10
    assert (
        done.report["result"]["sentence"]
        == "inconclusive: unsupported runtime, refused with: mkdir: no such file"
    )


def test_a_lost_feature_fails_as_ignored_without_a_run(suite: Suite) -> None:
    """Where a subPath is accepted and dropped, what needs it fails as ignored."""
    suite.target(connection={"platform": {"sub-path": {"kind": "lost", "text": "the root is mounted"}}})
    suite.checks("""
        @verifies("SUB-01")
        def test_mount(): pass
        @verifies("SUB-02")
        def test_sub_path(): pass
    """)
    done = suite.run()
    assert done.verdict("SUB-02") == "fail, ignored"
    assert done.requirement("SUB-02")["reason"] == "the root is mounted"
    assert done.verdict("SUB-01") == "pass"
    assert done.code == 1


def test_a_missing_environment_is_inconclusive(suite: Suite) -> None:
    """What the environment does not provide leaves the requirement open, with what was missing."""
    suite.target(connection={"platform": {"two nodes": {"kind": "missing", "text": "there is one node"}}})
    suite.checks("""
        @verifies("SUB-04")
        def test_it(): pass
    """)
    done = suite.run()
    assert done.verdict("SUB-04") == "inconclusive"
    assert done.requirement("SUB-04")["reason"] == "needs two nodes: there is one node"


def test_what_is_for_targets_without_the_feature_is_not_selected(suite: Suite) -> None:
    """What is demanded of targets without the feature is not selected where it works, and not missed."""
    suite.checks("""
        @verifies("SUB-01")
        def test_mount(): pass
        @verifies("SUB-03")
        def test_without(): assert False
    """)
    done = suite.run()
    assert done.verdict("SUB-03") == "not selected"
    assert done.requirement("SUB-03")["reason"] == "applies to targets without image volumes"
    assert done.report["result"]["sentence"].startswith("conformant, 3 required requirements not verified")


# --- secrets


def test_secrets_are_in_no_report_and_no_output(suite: Suite) -> None:
    """The session's secrets and a check's are hidden in reasons, evidence, tracebacks, logs and files."""
    suite.target(secrets=["Tok3n-of-the-run"])
    suite.checks("""
        import base64, logging

        @verifies("SUB-01")
        def test_it(evidence, keep_secret):
            password = keep_secret("S3cret-of-the-check")
            auth = base64.b64encode(f"user:{password}".encode()).decode()
            evidence.add("manifest", "Secret", {"auth": auth, "Tok3n-of-the-run": password})
            print(password, auth)
            logging.getLogger().warning("Tok3n-of-the-run")
            assert False, f"401 for {password} and {auth}"
    """)
    done = suite.run("-n1", apart=True)
    assert done.verdict("SUB-01") == "fail, violated"
    told = [done.out, done.err]
    told += [
        file.read_text(encoding="utf-8") for file in (suite.folder / "report").rglob("*") if file.is_file()
    ]
    for secret in ("Tok3n-of-the-run", "S3cret-of-the-check", "UzNjcmV0LW9mLXRoZS1jaGVj", "czNjcmV0"):
        assert not [text for text in told if secret in text]
    assert "401 for ***" in done.out


# --- mistakes in checks


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def test_it(): pass", "checks/test_one.py::test_it: verifies no requirement"),
        (
            '@verifies("SUB-11")\ndef test_it(): pass',
            "verifies SUB-11, which is not in the catalogue; did you mean SUB-01",
        ),
        ('@pytest.mark.skip\n@verifies("SUB-01")\ndef test_it(): pass', "is marked skip"),
        ('@pytest.mark.xfail\n@verifies("SUB-01")\ndef test_it(): pass', "is marked xfail"),
        ('@verifies("SUB-01")\ndef test_it(subtests): pass', "uses subtests"),
    ],
)
def test_a_check_that_is_written_wrongly_is_a_usage_error(suite: Suite, source: str, message: str) -> None:
    """Mistakes in checks are found before the target is touched, and named with the check."""
    suite.checks("\n".join(source.splitlines()))
    done = suite.run()
    assert done.code == 4
    assert message in done.err
    assert done.sweeps == 0


def test_verifies_wants_ids(suite: Suite) -> None:
    """`@verifies` without ids is a mistake that shows at once, and nothing of the target is touched."""
    suite.checks("""
        @verifies
        def test_it(): pass
    """)
    done = suite.run()
    assert done.code == 3
    assert "verifies needs the ids of requirements" in done.err
    assert done.sweeps == 0


def test_the_plugin_leaves_other_tests_alone(suite: Suite) -> None:
    """In a run without checks pytest is as ever: no session, no report, its own exit codes."""
    suite.pytester.makepyfile(test_other="def test_it(): assert False")
    result = suite.pytester.runpytest_inprocess(*suite.options, "test_other.py")
    assert result.ret == 1
    result.assert_outcomes(failed=1)
    assert not (suite.folder / "report").exists()
