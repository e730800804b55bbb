"""Checks for the exercises on Gaussian mixtures: responsibilities, the M-step, free parameters.

Chapter: 09 (Gaussian mixtures).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, shape_of

__all__ = ["check_m_step", "check_n_parameters", "check_responsibilities"]


def check_responsibilities(responsibilities: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `responsibilities(log_density, weights)`: the share of each component in each row.

    Parameters
    ----------
    responsibilities : callable
        Takes log densities of shape (n, k) and weights of shape (k,); returns shares of shape
        (n, k).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 09, "Gaussian mixtures".

    Examples
    --------
    >>> check_responsibilities(lambda log_density, weights: np.exp(log_density))
    Not yet. The shares of a row add up to one.
    """
    log_density, weights = np.log([[1.0, 1.0], [4.0, 1.0]]), np.array([0.8, 0.2])
    found, problem = called(responsibilities, log_density, weights)
    if problem:
        return Verdict(False, problem)
    if shape_of(found) != (2, 2):
        return Verdict(False, "Return one row per row and one column per component.")
    if equal(found, np.array([[0.5, 0.5], [0.8, 0.2]])):
        return Verdict(False, "Where is the weight? A large component claims more of a tie.")
    if not equal(np.sum(found, axis=1), np.ones(2)):
        return Verdict(False, "The shares of a row add up to one.")
    if not equal(found, np.array([[0.8, 0.2], [16 / 17, 1 / 17]])):
        return Verdict(False, "Bayes: weight times density, divided by the sum over components.")
    far, problem = called(responsibilities, log_density - 5000.0, weights)
    if problem or not equal(far, np.array([[0.8, 0.2], [16 / 17, 1 / 17]])):
        return Verdict(False, "Take 5000 off every log density: exp(-5000) is zero. Shift first.")
    return Verdict(True)


def check_m_step(m_step: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `m_step(x, r)`: weights, means and variances of a mixture on a line.

    Parameters
    ----------
    m_step : callable
        Takes values of shape (n,) and responsibilities of shape (n, k); returns three arrays of
        shape (k,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 09, "Gaussian mixtures".

    Examples
    --------
    >>> check_m_step(lambda x, r: (r.mean(axis=0), r.T @ x / len(x), r.T @ x**2 / len(x)))
    Not yet. A mean divides by the sum of its responsibilities, not by the number of rows.
    """
    x = np.array([0.0, 2.0, 10.0, 14.0])
    r = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    found, problem = called(m_step, x, r)
    if problem:
        return Verdict(False, problem)
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        return Verdict(False, "Return three arrays: weights, means, variances.")
    weights, means, variances = found
    if not equal(weights, np.array([2.5, 1.5]) / 4):
        return Verdict(False, "A weight is the mean responsibility of its component.")
    if equal(means, r.T @ x / 4):
        hint = "A mean divides by the sum of its responsibilities, not by the number of rows."
        return Verdict(False, hint)
    centre = (r.T @ x) / r.sum(axis=0)
    if not equal(means, centre):
        return Verdict(False, "A mean is the average of x, weighted by the responsibilities.")
    squares = r * np.square(x[:, None] - centre)
    if equal(variances, squares.sum(axis=0) / (r.sum(axis=0) - 1)):
        return Verdict(False, "Maximum likelihood divides by the sum, not by the sum less one.")
    if equal(variances, np.sqrt(squares.sum(axis=0) / r.sum(axis=0))):
        return Verdict(False, "That is the standard deviation.")
    if not equal(variances, squares.sum(axis=0) / r.sum(axis=0)):
        return Verdict(False, "A variance is measured from its own component's new mean.")
    return Verdict(True)


def check_n_parameters(n_parameters: Callable[[str, int, int], Any]) -> Verdict:
    """Check `n_parameters(kind, k, d)`: the free parameters of a mixture of k Gaussians in R^d.

    Parameters
    ----------
    n_parameters : callable
        Takes "spherical", "diag", "tied" or "full", k and d; returns a whole number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 09, "Gaussian mixtures".

    Examples
    --------
    >>> check_n_parameters(lambda kind, k, d: k * d)
    Not yet. k * d are the means. What else is fitted?
    """
    k, d = 3, 5
    shared = (k - 1) + k * d
    right = {"spherical": k, "diag": k * d, "tied": 15, "full": k * 15}
    for kind, covariances in right.items():
        found, problem = called(n_parameters, kind, k, d)
        if problem:
            return Verdict(False, problem)
        if equal(found, np.array(k * d)):
            return Verdict(False, "k * d are the means. What else is fitted?")
        if equal(found, np.array(shared + covariances + 1)):
            return Verdict(False, "The weights add up to one: the last one is not free.")
        if kind in ("tied", "full") and equal(found, np.array(shared + covariances * 25 // 15)):
            return Verdict(False, "A covariance is symmetric: not all d * d entries are free.")
        if not equal(found, np.array(shared + covariances)):
            return Verdict(False, f"Count for {kind!r} with k = 3, d = 5: weights, means, widths.")
    one, problem = called(n_parameters, "full", 1, 1)
    if problem or not equal(one, np.array(2)):
        return Verdict(False, "One Gaussian on a line has a mean and a variance, and no weight.")
    return Verdict(True)
