"""The parts of the page about speed, kernels, ceilings, the gate and tests, from synthetic rows."""

import re

import pytest
import synthetic
from test_report_tasks import headings, page_of, without

from ebmbench.report import text

JOBS = {"CD-1": 2e-3, "SML-1": 2.1e-3, "RM": 0.02, "NCE-10": 7e-3, "AIS, 300 temperatures": 0.3}
REASON = "backend cuda needs an NVIDIA driver, and none was found on this machine"


def timed(name, seconds):
    return {name: seconds, f"{name}_low": 0.9 * seconds, f"{name}_high": 1.2 * seconds}


def ratio(value):
    return {"ratio": value, "ratio_low": 0.9 * value, "ratio_high": 1.1 * value}


def speeds(cuda=True):
    """Each job on cpu and on cuda, the cuda 40 times as fast or not to be had."""
    rows = []
    for job, seconds in JOBS.items():
        for backend, against, own, factor in (
            ("cpu", "reference", seconds, 8.0), ("cuda", "cpu", seconds / 40, 40.0)
        ):  # fmt: skip
            row = synthetic.common(
                f"{backend}{job}", "speed", backend=backend, against=against, job=job,
                subject="a made-up 784x500 RBM", batch_size=100, processes=3, turns=6,
            )  # fmt: skip
            if backend == "cuda" and not cuda:
                rows.append(row | {"status": "unavailable", "reason": REASON})
                continue
            row |= timed("seconds", own) | timed("against_seconds", own * factor) | ratio(factor)
            if job.startswith("AIS"):
                row |= {"log_z": 312.5, "std_error": 0.09, "against_log_z": 312.51}
            rows.append(row)
    return rows


def kernels():
    """Three jobs, two arithmetics, two peers and none; one kernel beyond its floor."""
    rows = []
    for job in ("Gibbs, 100 chains, 100 sweeps", "AIS, 100 chains, 14,500 temperatures"):
        for arithmetic in ("float", "bfloat16x2"):
            for place, peer in enumerate(("torch eager, float32", "cupy, float32")):
                row = synthetic.common(
                    f"{job}{arithmetic}{peer}", "kernel", backend="cuda", job=job, arithmetic=arithmetic,
                    peer="" if "AIS" in job else peer, n_visible=784, n_hidden=500, turns=6, put_s=1e-4,
                    get_s=2e-5, floor_s=2e-4, fraction=0.2 + place, bound="operations",
                    operations=1e10, bytes=1e7, operations_per_s=5e13, copy_per_s=4e12,
                    peer_version="torch 2.13", peer_settings="threads 2",
                    peer_verdict="verified: transition",
                )  # fmt: skip
                row |= timed("seconds", 1e-3)
                if peer and "AIS" not in job:
                    row |= timed("against_seconds", 5e-3) | ratio(5.0 - 4.5 * place)
                rows.append(row)
    return rows


def ceilings():
    found = {"copy_per_s": 4.3e12, "float32_per_s": 5e13, "bfloat16_per_s": 7.8e14}
    named = {"subject": "the device", "measured": "copies and matrix products", "measured_by": "torch 2"}
    return [
        synthetic.common(0, "ceilings", backend="cuda", **named, **found),
        synthetic.common(1, "ceilings", backend="cpu", **named, **found | {"bfloat16_per_s": None}),
    ]


def gates():
    rows = [
        synthetic.common(
            job, "gate", backend="cuda", subject="the gate's models", job=job, arithmetic="grid",
            error=1e-6, tolerance=1e-5, size="(1, 7, 3)", sizes=8,
        )
        for job in ("gibbs", "moments", "anneal")
    ]  # fmt: skip
    rows[1] |= {"status": "red", "reason": "backend cuda: moments differs", "error": 0.3}
    return rows


def of_tests():
    found = {"passed": 812, "failed": 0, "skipped": 3, "errors": 0, "tests_s": 91.0, "tail": ""}
    given = {"backend": "cuda", "subject": "the checkout", "marker": "gpu"}
    return [synthetic.common(0, "tests", **given, **found)]


MAKE = {
    "Headline": speeds,
    "Kernels and peers": kernels,
    "Ceilings of the devices": ceilings,
    "Agreement with the reference": gates,
    "Tests": of_tests,
}


def test_the_page_opens_with_the_headline(tmp_path):
    seen = page_of(tmp_path, [*synthetic.trained(), *kernels(), *speeds()])
    assert headings(tmp_path)[:2] == ["Headline", "The answer"]
    for job in ("CD-1", "SML-1", "Ratio matching", "NCE-10", "AIS, 300 temperatures"):
        assert job in seen
    assert seen.index("log Z cpu 312.50, NumPy 312.51 and cuda 312.50, ± 0.09") > 0


def table_of(tmp_path, heading):
    """The cells of the first table after a heading, a list each row."""
    html = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    table = html[html.index(f">{heading}</h2>") :].split("</table>")[0]
    return [cells_of(row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]


def cells_of(html):
    """The words of each cell."""
    cells = re.findall(r"<t[hd][ >].*?</t[hd]>", html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


def test_each_job_is_one_row_of_the_headline(tmp_path):
    page_of(tmp_path, speeds())
    head, *rows = table_of(tmp_path, "Headline")
    assert head == ["Job", "cpu against NumPy", "cuda against cpu", "cpu", "cuda", "NumPy", "Quality"]
    assert len(rows) == len(JOBS)
    assert rows[0] == [
        "CD-1", "8.00 [7.20, 8.80]", "40.0 [36.0, 44.0]", "2 ms [1.8 to 2.4 ms]",
        "50 µs [45 to 60 µs]", "16 ms [14.4 to 19.2 ms]", "agrees with the reference",
    ]  # fmt: skip


def test_a_backend_that_is_not_there_shows_with_its_reason(tmp_path):
    seen = page_of(tmp_path, speeds(cuda=False))
    _, *rows = table_of(tmp_path, "Headline")
    assert len(rows) == len(JOBS)
    for row in rows:
        assert row[2] == row[4] == f"{text.MISSING} unavailable"
        assert row[1] != text.MISSING
    assert f"5 cases on cuda unavailable: {REASON}." in seen


def test_kernels_tell_floor_ratio_and_moves(tmp_path):
    seen = page_of(tmp_path, kernels())
    head, *rows = table_of(tmp_path, "Kernels and peers")
    assert head[:3] == ["Arithmetic", "Time", "Dense floor&#39;s rate"]
    assert rows[0] == [
        "float on cuda", "1 ms [900 µs to 1.2 ms]", "0.20× of 200 µs by operations",
        "torch eager, float32 threads 2", "5 ms [4.5 to 6 ms]", "5.00 [4.50, 5.50]",
        "verified: transition", "100 µs", "20 µs",
    ]  # fmt: skip
    assert "Faster than the peer in 2 of 4 comparisons" in seen
    assert seen.count("cupy, float32 is faster at Gibbs, 100 chains, 100 sweeps") == 2
    files = {path.name for path in (tmp_path / "r" / "figures").glob("*.svg")}
    of_all = {"kernel-floors.svg", "kernel-roofline-cuda.svg"}
    assert files == of_all | {"kernel-1-gibbs-100-chains-100-sweeps.svg"}


def test_kernels_beside_no_peer_share_a_table(tmp_path):
    """Whose columns are those that have something to say."""
    page_of(tmp_path, [row | {"images_per_s": 5e4} if "AIS" in row["job"] else row for row in kernels()])
    html = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    part = html[html.index('id="kernel"') :].split("</section>")[0]
    heads = [re.findall(r"<th[^>]*>([^<]*)</th>", table) for table in part.split("<table")[1:]]
    assert len(heads) == 2
    assert {"Peer", "Peer&#39;s time"} <= set(heads[0])
    assert "Images a second" not in heads[0]
    assert heads[1][:4] == ["Job", "Arithmetic", "Time", "Images a second"]
    assert not {"Peer", "Peer&#39;s time", "Times as fast"} & set(heads[1])


def test_a_red_job_of_the_gate_is_named_with_its_error(tmp_path):
    seen = page_of(tmp_path, gates())
    assert "2 of 3 jobs agree with the float64 reference" in seen
    assert "Red: moments (grid) on cuda." in seen
    assert "0.3" in [row[3] for row in table_of(tmp_path, "Agreement with the reference")]


def test_tests_and_ceilings_are_told(tmp_path):
    seen = page_of(tmp_path, [*of_tests(), *ceilings()])
    assert "Of the tests marked gpu on cuda, 812 passed, 0 failed and 3 were skipped, in 91 s." in seen
    _, gpu, cpu = table_of(tmp_path, "Ceilings of the devices")
    assert gpu[:4] == ["cuda", "4,300", "50.0", "780"]
    assert cpu[3] == text.MISSING


@pytest.mark.parametrize("heading", MAKE)
def test_cases_of_which_none_ran(tmp_path, heading):
    rows = [
        {name: row[name] for name in (
            "schema_version", "key", "attempt", "suite", "title", "indicative", "task", "backend", "seed",
            "machine", "subject", "job", "arithmetic", "marker", "against", "peer", "measured",
        ) if name in row} | {"status": "unavailable", "reason": REASON}
        for row in MAKE[heading]()
    ]  # fmt: skip
    seen = page_of(tmp_path, rows)
    assert heading in headings(tmp_path)
    assert "0 of" in seen
    assert REASON in seen


@pytest.mark.parametrize(
    ("heading", "missing"),
    [
        ("Headline", ["ratio_low", "std_error", "processes", "turns", "subject"]),
        ("Headline", ["seconds", "against_seconds", "ratio", "log_z", "batch_size"]),
        ("Headline", ["against", "job", "backend"]),
        ("Kernels and peers", ["ratio_low", "floor_s", "fraction", "bound", "peer_version"]),
        ("Kernels and peers", ["seconds", "ratio", "peer", "put_s", "arithmetic", "job"]),
        ("Ceilings of the devices", ["copy_per_s", "float32_per_s", "measured_by", "subject"]),
        ("Agreement with the reference", ["error", "tolerance", "size", "job", "arithmetic"]),
        ("Tests", ["passed", "failed", "skipped", "tests_s"]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_missing_fields(tmp_path, heading, missing):
    page_of(tmp_path, without(MAKE[heading](), *missing))
