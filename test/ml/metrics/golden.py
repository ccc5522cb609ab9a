"""Records golden.json: the numbers of scikit-learn and numpy for seeded predictions.

Debian: apt-get install --no-install-recommends python3-sklearn
Run:    /usr/bin/python3 test/ml/metrics/golden.py > test/ml/metrics/golden.json
"""
import json
import sys

import numpy as np
import sklearn
from scipy import stats
from sklearn import metrics as m

rng = np.random.default_rng(20240601)


def ece(truth, scores, bins=10):
    """Guo et al. 2017: bins (low, high] over the confidence of the predicted class."""
    confidence, predicted = scores.max(axis=1), scores.argmax(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs((predicted[inside] == truth[inside]).mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


def case(name, n, k, skill, coarse=None, absent=None):
    truth = rng.integers(0, k, n)
    if absent is not None:
        truth[truth == absent] = (absent + 1) % k
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), truth] += skill
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if coarse is not None:  # many ties
        scores = np.round(scores * coarse) + 0.5
        scores = scores / scores.sum(axis=1, keepdims=True)
    predicted = scores.argmax(axis=1)
    labels = list(range(k))
    out = {
        "name": name,
        "classes": k,
        "truth": truth.tolist(),
        "scores": scores.tolist(),
        "accuracy": m.accuracy_score(truth, predicted),
        "confusion": m.confusion_matrix(truth, predicted, labels=labels).tolist(),
        "mcc": m.matthews_corrcoef(truth, predicted),
        "kappa": m.cohen_kappa_score(truth, predicted),
        "logLoss": m.log_loss(truth, scores, labels=labels, eps=np.finfo(np.float64).eps),
        "brier": float(((scores - np.eye(k)[truth]) ** 2).sum(axis=1).mean()),
        "ece": ece(truth, scores),
    }
    for average in ("micro", "macro", "weighted"):
        p, r, f, _ = m.precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=0)
        out[average] = {"precision": p, "recall": r, "f1": f}
    p, r, f, s = m.precision_recall_fscore_support(
        truth, predicted, labels=labels, average=None, zero_division=0)
    out["perClass"] = [
        {"precision": float(a), "recall": float(b), "f1": float(c), "support": int(d)}
        for a, b, c, d in zip(p, r, f, s)]
    if k == 2:
        out["binaryBrier"] = m.brier_score_loss(truth, scores[:, 1])
    if absent is None:
        aucs = [m.roc_auc_score(truth == c, scores[:, c]) for c in labels]
        out["auc"] = aucs
        out["averagePrecision"] = [
            m.average_precision_score(truth == c, scores[:, c]) for c in labels]
        if k > 2:
            out["aucOvo"] = m.roc_auc_score(
                truth, scores, multi_class="ovo", average="macro")
        out["aucMacro"] = float(np.mean(aucs)) if k == 2 else m.roc_auc_score(
            truth, scores, multi_class="ovr", average="macro")
        if k > 2:
            out["aucWeighted"] = m.roc_auc_score(
                truth, scores, multi_class="ovr", average="weighted")
    return out


def mcnemar(b, c):
    """Exact two-sided binomial below 25 disagreements, else chi-square with continuity correction."""
    n = b + c
    if n < 25:
        return 1.0 if n == 0 else float(stats.binomtest(min(b, c), n, 0.5).pvalue)
    return float(stats.chi2.sf((abs(b - c) - 1) ** 2 / n, 1))


def regression(n, noise):
    truth = rng.normal(50, 10, n)
    predicted = truth + rng.normal(0, noise, n)
    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "mae": m.mean_absolute_error(truth, predicted),
        "mse": m.mean_squared_error(truth, predicted),
        "rmse": m.mean_squared_error(truth, predicted, squared=False),
        "r2": m.r2_score(truth, predicted),
    }


times = rng.gamma(2.0, 10.0, 57)
json.dump({
    "versions": {"sklearn": sklearn.__version__, "numpy": np.__version__},
    "cases": [
        case("three classes", 60, 3, 1.5),
        case("two classes", 40, 2, 1.0),
        case("many ties", 60, 3, 1.0, coarse=3),
        case("a class that is never true", 40, 3, 2.0, absent=1),
        case("five classes, no skill", 50, 5, 0.0),
    ],
    "regression": [regression(30, 4.0), regression(12, 30.0)],
    "mcnemar": [{"b": b, "c": c, "p": mcnemar(b, c)}
                for b, c in [(0, 0), (3, 9), (1, 12), (10, 10), (30, 12), (5, 60)]],
    "times": times.tolist(),
    "percentiles": {str(q): float(np.percentile(times, q)) for q in (50, 95, 99)},
}, sys.stdout, indent=1)
