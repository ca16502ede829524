"""Rows of every task with plausible values, for reports of results that nobody has to run for."""

import json

import numpy as np

DONE = {"status": "done", "reason": None}


def common(number, task, **fields):
    """What the rows of all tasks have."""
    return {
        "schema_version": 1,
        "key": f"{task}{number}",
        "attempt": "2026-01-02T03:04:05.000000+00:00",
        "suite": "synthetic",
        "title": "Synthetic results",
        "indicative": False,
        "task": task,
        "backend": "cpu",
        "seed": 0,
        "machine": "m1",
        "code_version": "0123456789abcdef",
        "device": {"device": "cpu"},
        "compile_s": 1.5,
        **DONE,
    } | fields


def gradients(temperatures=(1.0, 0.5), seeds=1):
    """Estimators whose bias falls with k, one without bias, one exact."""
    kinds = {  # name, settings, relative bias, its standard error, relative deviation, seconds
        "CD-1": ("cd", {"k": 1}, 0.41, 0.004, 0.31, 4e-5),
        "CD-10": ("cd", {"k": 10}, 0.11, 0.004, 0.33, 2.2e-4),
        "CD-100": ("cd", {"k": 100}, 0.012, 0.004, 0.33, 2e-3),
        "SML-1": ("sml", {"k": 1}, 0.0, 0.006, 0.42, 5e-5),
        "PT-10": ("parallel_tempering", {"k": 1}, 0.003, 0.005, 0.36, 4e-4),
        "pseudolikelihood": ("pseudolikelihood", {}, 0.83, 0.002, 0.12, 9e-5),
        "exact": ("exact", {}, 1e-7, 1e-8, 1e-7, 6e-3),
    }
    rows = []
    for temperature in temperatures:
        for label, (name, settings, bias, error, deviation, step_s) in kinds.items():
            for seed in range(seeds):
                norm = 2.0 / temperature
                bias_t = bias / temperature if label != "exact" else bias
                rows.append(
                    common(
                        len(rows), "gradient", model="random 8x6, scale 1, seed 0", seed=seed,
                        temperature=temperature, estimator=label, estimator_name=name,
                        settings=settings, gradient_norm=norm, bias=bias_t * norm,
                        bias_std_error=error * norm, variance=(deviation * norm) ** 2,
                        rms_error=norm * float(np.hypot(bias_t, deviation)), cosine=1 - bias / 2,
                        step_s=step_s, step_s_low=0.9 * step_s, step_s_high=1.2 * step_s,
                        replicates=100, rows=100, thin=10, burn_in=1000,
                    )
                )  # fmt: skip
    return rows


def log_zs(models=("digits_rbm20", "random 8x6, scale 3, seed 1"), seeds=5, scale=300.0):
    """A sandwich that closes as 1 / temperatures, hundreds of nats wide at first."""
    random = np.random.default_rng(0)
    rows = []
    for model in models:
        for method, side in (("ais", -1.0), ("bridge", 0.02), ("reverse_ais", 0.8)):
            for betas in (10, 100, 1000, 10_000):
                for seed in range(seeds):
                    error = side * scale / betas * random.uniform(0.6, 1.4)
                    error += float(random.normal()) / np.sqrt(betas)
                    rows.append(
                        common(
                            len(rows), "log_z", model=model, temperature=1.0, method=method,
                            settings={"betas": betas, "chains": 100}, seed=seed, log_z=200.0 + error,
                            truth=200.0, error=error, std_error=3.0 / np.sqrt(betas),
                            ess=100.0 / (1 + 100 / betas) if method != "bridge" else None,
                            seconds=4e-5 * betas * (1 + (method == "reverse_ais")), dataset="",
                        )
                    )  # fmt: skip
        rows.append(
            common(len(rows), "log_z", model=model, temperature=1.0, method="exact", settings={},
                   log_z=200.0, truth=200.0, error=0.0, std_error=0.0, ess=None, seconds=0.03)
        )  # fmt: skip
    return rows


def samples(temperatures=(1.0, 0.25)):
    """Gibbs sampling that gets stuck when it is cold, parallel tempering that does not."""
    rows = []
    for temperature in temperatures:
        cold = temperature < 1
        for name, label, settings, ess, tv, rate in (
            ("gibbs", "Gibbs", {}, 900.0 if cold else 7e4, 0.12 if cold else 0.0042, None),
            ("parallel_tempering", "PT, 5 temperatures", {"temperatures": 5}, 3e4, 0.0061, 0.31),
            ("parallel_tempering", "PT, 10 temperatures", {"temperatures": 10}, 4e4, 0.0055, 0.62),
        ):
            rows.append(
                common(
                    len(rows), "sample", model="random 8x6, scale 1, seed 0", temperature=temperature,
                    sampler=name, label=label, settings=settings, chains=100, sweeps=1000, burn_in=1000,
                    ess=ess, ess_per_s=ess / 0.8, r_hat=1.0004 if ess > 1e3 else 1.21,
                    total_variation=tv, total_variation_floor=0.0040, sample_s=0.8,
                    total_variation_floor_ess=0.0040 * float(np.sqrt(1e5 / ess)), dataset="",
                ) | ({} if rate is None else {"swap_rate": rate, "swap_rate_min": 0.8 * rate})
            )  # fmt: skip
    return rows


def consistency(seeds=5, sizes=(100, 1000, 10_000, 100_000), noise=0.25, nce=True):
    """Exact power laws times a noise, with the slopes of theory, and NCE's log Z."""
    random = np.random.default_rng(1)
    rows = []
    families = {
        "rbm": ("kl", 10.0, -1.0, ("exact", "pseudolikelihood", "ratio matching", "NCE")),
        "boltzmann_machine": ("parameter_error", 8.0, -0.5, ("exact", "pseudolikelihood")),
        "gaussian": ("parameter_error", 5.0, -0.5, ("score matching",)),
    }
    for family, (measure, level, power, estimators) in families.items():
        for place, estimator in enumerate(estimators):
            for n in sizes:
                for seed in range(seeds):
                    factor = float(np.exp(noise * random.normal()))
                    row = common(
                        len(rows), "consistency", family=family, estimator=estimator, n=n, seed=seed,
                        settings={}, kl=None, parameter_error=None, learned_log_z=None, log_z=None,
                    )  # fmt: skip
                    row[measure] = level * 1.5**place * n**power * factor
                    if estimator == "NCE" and nce:
                        row["log_z"] = 9.0
                        row["learned_log_z"] = 9.0 + 4.0 * float(random.normal()) / np.sqrt(n)
                    rows.append(row)
    return rows


TARGETS = (-100.0, -90.0, -86.34)


def to_targets(*seconds, tried=123.0, targets=TARGETS, after=None):
    """Seconds to each target; None is never reached within what was tried; after: of the look before."""
    looked = {} if after is None else {"after": after}
    return [
        {"target": target, "seconds": s, "reached": s is not None, "censored_at": tried, **looked}
        for target, s in zip(targets, seconds, strict=True)
    ]


def trained(seeds=3):
    """Four estimators on one data set: one reaches every target, one none, one is not resolved."""
    kinds = {
        "PT-10": (-86.1, (3.0, 21.0, 96.0), "gain", True, 0.3),
        "SML-1": (-85.2, (2.1, 14.0, 60.0), "gain", False, 7.4),
        "CD-1": (-96.8, (5.0, None, None), "gain", True, 0.1),
        "ratio matching": (-205.9, (None, None, None), "no gain", True, 0.0),
    }
    rows = []
    for label, (end, seconds, verdict, resolved, gap) in kinds.items():
        for seed in range(seeds):
            value = end - 0.4 * seed
            times = [None if s is None else s * (1 + 0.1 * seed) for s in seconds]
            row = common(
                len(rows), "train", dataset="binarized_mnist", estimator=label, settings={}, seed=seed,
                hidden=500, epochs=20, batch_size=100, rate=0.05, momentum=0.9, decay=0.0,
                schedule="linear", centred=True, evaluate="ais", betas="paper", chains=100,
                ceiling=None, baseline_mixture=-140.0, baseline_independent=-206.3, train_s=123.0,
                update_s=1e-3, samples=[{"process": 1, "update_s": [1e-3, 1.1e-3], "updates": [9, 9]}],
                log_likelihood=value, log_likelihood_reverse=value - gap, gap=gap, resolved=resolved,
                std_error=0.03, log_z=400.0, seconds_to_target=to_targets(*times), verdict=verdict,
                gain=value + 206.3,
            )  # fmt: skip
            rows.append(row | ({"swap_rate": 0.4} if label == "PT-10" else {}))
    return rows


def deep(seeds=2):
    """A DBN and a DBM by their bounds, one of them unresolved, classifiers, and a GAN."""
    kinds = {
        "DBN 500-2000, SML-1": ("dbn", [500, 2000], "bound", -87.1, 0.2, 300.0),
        "DBM 500-1000, pre-trained": ("dbm", [500, 1000], "bound", -84.1, 5.3, 4000.0),
        "MLP 512-512, relu": ("mlp", [512, 512], "error", 0.0152, None, 60.0),
        "DBM 500-1000, pre-trained, fine-tuned": ("dbm", [500, 1000], "error", 0.0102, None, 5000.0),
        "GAN, G 256, D 256, non-saturating": ("gan", [], "parzen", 231.0, None, 700.0),
    }
    stages = [("layer 1 of 2", 0.25), ("layer 2 of 2", 0.75)]
    rows = []
    for recipe, (model, hidden, measure, value, gap, train_s) in kinds.items():
        for seed in range(seeds):
            row = common(
                len(rows), "deep", seed=seed,
                dataset="mnist" if measure != "bound" else "binarized_mnist",
                recipe=recipe, model=model, hidden=hidden, batch_size=100, evaluate="ais", betas="paper",
                settings={"layers.epochs": 100}, measure=measure, std_error=0.1, train_s=train_s,
                updates_done=60_000, images_per_s=6e6 / train_s, n_test=10_000, verdict="gain",
                memory_peak=600 * 2**20, memory_before=400 * 2**20, device_memory=None,
                stages=[
                    {"stage": name, "epochs": 50, "seconds": part * train_s, "images_per_s": 5e4}
                    for name, part in stages
                ],
            )  # fmt: skip
            row[measure] = value - 0.2 * seed if measure != "error" else value + 0.0002 * seed
            if measure == "bound":
                row |= {
                    "bound_reverse": row["bound"] - gap, "gap": gap, "resolved": gap < 1,
                    "baseline_independent": -206.3, "baseline_mixture": -140.0,
                    "log_z_schedule": "paper (14500 on [0, 1])",
                    "seconds_to_target": to_targets(*(f * train_s for f in (0.1, 0.5)), None, after=1.0),
                }  # fmt: skip
            elif measure == "error":
                row |= {"std_error": 0.001, "wrong": round(1e4 * row["error"]), "error_of_one_class": 0.9}
                reached = to_targets(0.2 * train_s, None, targets=(0.02, 0.0095), tried=train_s)
                row["seconds_to_target"] = reached
            else:
                row |= {
                    "std_error": 1.9, "parzen_sigma": 0.2, "parzen_samples": 10_000,
                    "parzen_train": 240.1, "parzen_centres": 262.0, "mmd_squared": 0.0021,
                    "mmd_p_value": 0.002, "nearest_median": 5.1, "nearest_test_median": 6.2,
                    "caveat": "Theis: beware of Parzen.",
                    "seconds_to_target": [],
                }  # fmt: skip
            rows.append(row)
    return rows


def unavailable(rows, reason="no GPU here"):
    """The same cases as if none had run: what was found is missing."""
    given = (
        "schema_version", "key", "attempt", "suite", "title", "indicative", "task", "backend", "seed",
        "machine", "model", "temperature", "dataset", "estimator", "settings", "method", "sampler",
        "family", "n", "chains", "sweeps", "burn_in", "hidden", "rows", "replicates",
        "thin", "evaluate", "betas", "recipe",
    )  # fmt: skip
    left = [{name: value for name, value in row.items() if name in given} for row in rows]
    return [
        row | {"key": f"u{i}", "status": "unavailable", "reason": reason} for i, row in enumerate(left)
    ]


def everything():
    """All kinds of rows, some of them failed."""
    rows = [*trained(), *deep(), *gradients(), *log_zs(), *samples(), *consistency()]
    failed = unavailable([gradients()[0] | {"backend": "cuda"}, samples()[2] | {"backend": "cuda"}])
    return rows + failed


_START = {"bound": -206.3, "error": 0.9, "parzen": -400.0}
_MIDDLE = {"bound": -90.0, "error": 0.03, "parzen": 150.0}


def fill(folder, rows):
    """Write a results folder; a trained case has a curve up to what it is judged by."""
    folder.mkdir(parents=True)
    curves = [
        {"key": row["key"], "attempt": row["attempt"], "seconds": seconds, "log_likelihood": value}
        for row in rows
        if row.get("log_likelihood") is not None
        for end in [row["log_likelihood"]]
        for seconds, value in (
            (0.0, -206.3), (0.1, -200.0), (1.0, min(-120.0, end)), (10.0, min(-95.0, end)), (123.0, end),
        )
    ]  # fmt: skip
    curves += [
        {
            "key": row["key"],
            "attempt": row["attempt"],
            "seconds": part * (row.get("train_s") or 1.0),
            measure: value,
        }
        for row in rows
        if row["task"] == "deep" and row["status"] == "done" and row.get("measure") in row
        for measure in [row["measure"]]
        for part, value in ((0.0, _START[measure]), (0.1, _MIDDLE[measure]), (1.0, row[measure]))
    ]
    for name, lines in (("rows", rows), ("curves", curves)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "machine.json").write_text(json.dumps({"m1": {"cpu": "Example CPU", "cores": 2}}))
    return folder
