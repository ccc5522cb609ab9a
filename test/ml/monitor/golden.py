"""Writes golden.json beside it: values of SciPy that the monitors are held to. python3 golden.py"""
import json, os
import numpy as np
from scipy import special, stats
from scipy.spatial.distance import jensenshannon

rng = np.random.default_rng(7)
samples = []
for n, m, shift, kind in [(30, 40, 0, 'normal'), (200, 150, 0.4, 'normal'), (500, 300, 0, 'integers'), (100, 100, 2, 'integers')]:
    if kind == 'normal':
        a, b = rng.normal(0, 1, n), rng.normal(shift, 1.3, m)
    else:
        a, b = rng.integers(0, 9, n).astype(float), rng.integers(0 + shift, 9 + shift, m).astype(float)
    ks = stats.ks_2samp(a, b, method='exact')
    samples.append({
        'a': a.tolist(), 'b': b.tolist(), 'ks': ks.statistic, 'ksExactP': ks.pvalue,
        'wasserstein': stats.wasserstein_distance(a, b) / a.std(),
    })
tables = []
for r, c in [([20, 30, 50], [25, 25, 50]), ([100, 5, 0, 7], [80, 25, 3, 0]), ([500, 500], [480, 520])]:
    keep = [i for i in range(len(r)) if r[i] + c[i] > 0]
    result = stats.chi2_contingency([[r[i] for i in keep], [c[i] for i in keep]], correction=False)
    p, q = np.array(r) / sum(r), np.array(c) / sum(c)
    ps, qs = [np.maximum(x, 1e-4) / np.maximum(x, 1e-4).sum() for x in (p, q)]
    tables.append({
        'r': r, 'c': c, 'chi2': result[0], 'p': result[1],
        'js': float(jensenshannon(p, q, base=2)), 'psi': float(((qs - ps) * np.log(qs / ps)).sum()),
    })
functions = {
    'chi2': [[x, k, float(stats.chi2.sf(x, k))] for x, k in [(0.1, 1), (3.84, 1), (10, 5), (50, 20), (300, 200), (1e-3, 7)]],
    'kolmogorov': [[x, float(special.kolmogorov(x))] for x in [0.2, 0.5, 0.8, 1.0, 1.18, 1.36, 1.63, 2.5, 4.0]],
    'normalTwoSided': [[z, float(2 * stats.norm.sf(abs(z)))] for z in [0, 0.5, 1.0, 1.96, 3.0, 6.0]],
    'normalQuantile': [[p, float(stats.norm.ppf(p))] for p in [0.001, 0.05, 0.5, 0.8, 0.975, 0.9999]],
}
shares = []
for s1, n1, s2, n2 in [(80, 100, 90, 100), (450, 500, 440, 500), (0, 50, 5, 60)]:
    pool = (s1 + s2) / (n1 + n2)
    z = (s2 / n2 - s1 / n1) / np.sqrt(pool * (1 - pool) * (1 / n1 + 1 / n2))
    shares.append({'s1': s1, 'n1': n1, 's2': s2, 'n2': n2, 'z': float(z), 'p': float(2 * stats.norm.sf(abs(z)))})
entropies = [{'p': p, 'entropy': float(stats.entropy(p) / np.log(len(p)))} for p in ([0.2, 0.3, 0.5], [1.0, 0.0], [0.25] * 4)]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden.json'), 'w') as file:
    json.dump({'samples': samples, 'tables': tables, 'functions': functions, 'shares': shares, 'entropies': entropies}, file)
