"""Prints the known answers in the tests of `crates/train/src/evaluate`, by scikit-learn and scipy.

    pip install numpy scipy scikit-learn && python statistics.py

The set is `evaluate::tests::LOGITS`; the second model of the comparison is `compare::tests::other`.
"""

import numpy as np
from scipy import optimize, stats
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

MALIGNANT = [210, 35, -40, 120, 120, 305, 88, -15, 260, 47, 5, 172, -110, 66, 140, 233, 20, 91, 310, -5]
BENIGN = [-210, -35, 40, -120, -120, -305, -88, 15, -260, -47, 5, -172, 110, -66, -140, -233, 20, -91,
          -310, 66, -5, -150, 77, -12]
z = np.array(MALIGNANT + BENIGN, dtype=np.float32) / np.float32(100)
z = z.astype(np.float64)
y = np.array([1] * len(MALIGNANT) + [0] * len(BENIGN))
p = 1 / (1 + np.exp(-z))


def delong(y, scores):
    """Variances and covariances of the areas, by the definition: a kernel over all pairs."""
    areas, v10, v01 = [], [], []
    for s in scores:
        x, w = s[y == 1][:, None], s[y == 0][None, :]
        kernel = (x > w) + 0.5 * (x == w)
        areas.append(kernel.mean())
        v10.append(kernel.mean(axis=1))
        v01.append(kernel.mean(axis=0))
    m, n = (y == 1).sum(), (y == 0).sum()
    return np.array(areas), np.cov(np.array(v10)) / m + np.cov(np.array(v01)) / n


print("auc", repr(float(roc_auc_score(y, z))))
print("average precision", repr(float(average_precision_score(y, z))))
print("brier", repr(float(brier_score_loss(y, p))), "log loss", repr(float(log_loss(y, p))))

i = np.arange(len(z))
other = (z.astype(np.float32) + (((i * 37) % 11) * np.float32(0.25) - np.float32(1.25)).astype(np.float32)).astype(np.float64)
areas, covariance = delong(y, [z, other])
deviation = np.sqrt(np.diag(covariance))
sd = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
print("delong", areas.tolist(), deviation.tolist(), float(sd),
      float(2 * stats.norm.sf(abs(areas[0] - areas[1]) / sd)))

t = np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))


def loss(a, c):
    x = a * z + c
    return np.sum(np.logaddexp(0, x) - t * x)


a0 = optimize.minimize(lambda v: loss(v[0], 0), [1.0], method="BFGS", options={"gtol": 1e-10}).x
a1 = optimize.minimize(lambda v: loss(*v), [1.0, 0.0], method="BFGS", options={"gtol": 1e-10}).x
print("temperature", float(1 / a0[0]), "and bias", float(1 / a1[0]), float(a1[1] / a1[0]))

iso = IsotonicRegression(y_min=1 / 26, y_max=21 / 22, out_of_bounds="clip").fit(z, y)
at = [-4.0, -1.3, -0.9, -0.37, -0.2, 0.0, 0.05, 0.5, 0.9, 1.15, 1.5, 4.0]
print("isotonic", [(v, round(float(iso.predict([v])[0]), 9)) for v in at])

wilson = stats.binomtest(7, 10).proportion_ci(method="wilson")
print("wilson", wilson.low, wilson.high)
print("tail", [(v, float(2 * stats.norm.sf(v))) for v in [0.0, 0.1, 1.0, 1.96, 2.5, 2.9, 4.0, 8.0]])

random = np.random.default_rng(1)
for spread in [1.0, 2.0, 4.0]:
    for n in [300, 1000, 4000]:
        errors = []
        for _ in range(400):
            said = 1 / (1 + np.exp(-random.normal(0, spread, n)))
            seen = random.random(n) < said
            bins = np.array_split(np.argsort(said), 10)
            errors.append(sum(len(b) / n * abs(seen[b].mean() - said[b].mean()) for b in bins))
        print("calibration error by chance", spread, n, np.mean(errors), np.quantile(errors, 0.95))
