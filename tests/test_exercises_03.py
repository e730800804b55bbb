from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from recsys_interest.exercises import check_attention, check_mean_pool, check_whiten


def softmax(scores, axis=-1):
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def overflowing(queries, keys, values):
    powers = np.exp(queries @ keys.T / np.sqrt(queries.shape[1]))
    return powers / powers.sum(axis=1, keepdims=True) @ values


def test_right_attention_passes():
    assert check_attention(lambda Q, K, V: softmax(Q @ K.T / np.sqrt(Q.shape[1])) @ V)


@pytest.mark.parametrize(
    ("attention", "hint"),
    [
        (lambda Q, K, V: V, "look at the others"),
        (lambda Q, K, V: softmax(Q @ K.T) @ V, "divided by"),
        (lambda Q, K, V: softmax(Q @ K.T / Q.shape[1]) @ V, "standard deviation"),
        (lambda Q, K, V: softmax(Q @ K.T / np.sqrt(Q.shape[1]), axis=0) @ V, "Which axis"),
        (lambda Q, K, V: Q @ K.T / np.sqrt(Q.shape[1]) @ V, "positive"),
        (lambda Q, K, V: softmax(K @ Q.T / np.sqrt(Q.shape[1])) @ V, "by hand"),
        (overflowing, "overflows"),
        (lambda Q, K: Q, "TypeError"),
        (lambda Q, K, V: None, "by hand"),
    ],
)
def test_wrong_attention_gets_a_fitting_hint(attention, hint):
    verdict = check_attention(attention)
    assert not verdict
    assert hint in verdict.hint


def test_right_pooling_passes():
    assert check_mean_pool(
        lambda states, mask: (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    )
    assert check_mean_pool(
        lambda states, mask: [
            s[m > 0].mean(axis=0).tolist() for s, m in zip(states, mask, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("pool", "hint"),
    [
        (lambda states, mask: states.mean(axis=1), "pads are in the mean"),
        (lambda states, mask: (states * mask[:, :, None]).mean(axis=1), "By how many"),
        (lambda states, mask: (states * mask[:, :, None]).sum(axis=1), "long vector"),
        (lambda states, mask: states[:, 0], "CLS"),
        (lambda states, mask: states.max(axis=1), "by hand"),
        (lambda states: states, "TypeError"),
    ],
)
def test_wrong_pooling_gets_a_fitting_hint(pool, hint):
    verdict = check_mean_pool(pool)
    assert not verdict
    assert hint in verdict.hint


def test_right_whitening_passes():
    assert check_whiten(PCA(whiten=True).fit_transform)

    def cholesky(X):
        centred = X - X.mean(axis=0)
        factor = np.linalg.cholesky(np.cov(centred.T, bias=True))
        return np.linalg.solve(factor, centred.T).T

    assert check_whiten(cholesky)


@pytest.mark.parametrize(
    ("whiten", "hint"),
    [
        (lambda X: X, "mean of every dimension"),
        (lambda X: X - X.mean(axis=0), "variance of each dimension"),
        (lambda X: (X - X.mean(axis=0)) / X.std(axis=0), "move together"),
        (PCA().fit_transform, "variance of each dimension"),
        (PCA(2, whiten=True).fit_transform, "shape"),
        (lambda X: np.random.default_rng(0).permutation(PCA(whiten=True).fit_transform(X)), "map"),
        (lambda X: "x", "array"),
        (lambda: None, "TypeError"),
    ],
)
def test_wrong_whitening_gets_a_fitting_hint(whiten, hint):
    verdict = check_whiten(whiten)
    assert not verdict
    assert hint in verdict.hint
