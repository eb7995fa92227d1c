"""The scalar special functions against SciPy, and the table of coefficients against its own recursion."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st

from fullshelf.kernels.incomplete_gamma import TEMME, gamma_mass, gamma_tails
from fullshelf.kernels.special import (
    deviance,
    divergence,
    normal_cdf,
    normal_loss,
    normal_loss_inverse,
    normal_quantile,
    normal_second_loss,
    stirling_error,
)


def test_normal_quantile_is_exact_to_the_last_digits_in_both_tails():
    for p in (1e-300, 1e-20, 1e-9, 1e-3, 0.02, 0.1, 0.3, 0.5):
        expected = sp.ndtri(p)
        assert normal_quantile(p, 1 - p) == pytest.approx(expected, rel=1e-15, abs=1e-16)
        assert normal_quantile(1 - p, p) == pytest.approx(-expected, rel=1e-15, abs=1e-16)


def test_normal_quantile_outside_of_the_unit_interval_is_no_number():
    assert normal_quantile(0.0, 1.0) == -np.inf
    assert normal_quantile(1.0, 0.0) == np.inf
    assert np.isnan(normal_quantile(1.2, -0.2))
    assert np.isnan(normal_quantile(np.nan, 0.5))


@pytest.mark.parametrize("z", [-9.0, -2.5, -0.3, 0.0, 0.4, 1.0, 3.0, 6.0])
def test_normal_losses_match_their_integrals(z):
    upper = np.linspace(z, max(z, 0) + 14, 400_001)
    density = st.norm.pdf(upper)
    assert normal_cdf(z) == pytest.approx(st.norm.cdf(z), rel=1e-14)
    assert normal_loss(z) == pytest.approx(np.trapezoid((upper - z) * density, upper), rel=1e-7)
    assert normal_second_loss(z) == pytest.approx(np.trapezoid((upper - z) ** 2 * density, upper) / 2, rel=1e-7)


def test_the_inverse_of_the_normal_loss_undoes_it():
    for z in (-50.0, -6.0, -1.0, -1e-9, 0.0, 0.2, 1.5, 4.0, 8.0, 20.0):
        assert normal_loss_inverse(normal_loss(z)) == pytest.approx(z, rel=1e-10, abs=1e-14)
    assert normal_loss_inverse(0.0) == np.inf
    assert np.isnan(normal_loss_inverse(-1.0))


def test_small_arguments_cancel_nothing():
    for x in (-0.19, -1e-3, 1e-9, 1e-4, 0.05, 0.199, 0.3, 5.0):
        exact = Fraction(x) ** 2 * sum(Fraction((-1) ** n, n + 2) * Fraction(x) ** n for n in range(40))
        if abs(x) < 0.2:
            assert deviance(x) == pytest.approx(float(exact), rel=1e-15)
        assert divergence(7.0, 7.0 * (1 + x), 7.0 * x) == pytest.approx(7.0 * deviance(x), rel=1e-13)
    for a in (1e-3, 0.5, 3.0, 9.99, 10.0, 1e3):
        expected = sp.gammaln(a + 1) - ((a + 0.5) * np.log(a) - a + 0.5 * np.log(2 * np.pi))
        assert stirling_error(a) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("a", [1e-3, 0.5, 1.0, 7.3, 31.9, 32.0, 150.0, 1e4, 1e6])
def test_incomplete_gamma_matches_scipy_on_both_sides_of_every_switch(a):
    for x in {a * r for r in (0.01, 0.5, 0.59, 0.61, 0.9, 1.0, 1.1, 1.39, 1.41, 3.0)} | {a + 1.0, a + 3 * a**0.5}:
        lower, upper = gamma_tails(a, x)
        assert lower == pytest.approx(sp.gammainc(a, x), rel=3e-11, abs=1e-250)
        assert upper == pytest.approx(sp.gammaincc(a, x), rel=3e-11, abs=1e-250)
        assert lower + upper == pytest.approx(1.0, rel=1e-15)


def test_poisson_probability_keeps_its_digits_at_a_mean_of_a_million():
    # Exact by the recursion P(n) = prod of m / k in logarithms of rational numbers: here against a second form.
    for mean, k in ((1e6, 1_000_000), (1e6, 1_004_000), (250.0, 260), (3.0, 3)):
        assert gamma_mass(float(k), mean) == pytest.approx(st.poisson.pmf(k, mean), rel=1e-9 if mean > 1e5 else 1e-12)
    # Neighbours differ by the factor mean / k, to the last digits, which the textbook's form cannot show at 1e6.
    assert gamma_mass(1e6 + 1, 1e6) / gamma_mass(1e6, 1e6) == pytest.approx(1e6 / (1e6 + 1), rel=1e-14)


def test_the_coefficients_of_temmes_expansion_follow_from_the_recursion():
    terms = 32
    mu = [Fraction(0), Fraction(1)]  # mu(eta), from mu mu' = eta (1 + mu)
    for n in range(2, terms + 3):
        pairs = sum((mu[i] * mu[n + 1 - i] for i in range(2, n)), Fraction(0))
        mu.append((mu[n - 1] * Fraction(2, n + 1) - pairs) / 2)
    inverse = [Fraction(1)]  # eta / mu
    for n in range(1, terms + 2):
        inverse.append(-sum((mu[i + 1] * inverse[n - i] for i in range(1, n + 1)), Fraction(0)))
    stirling = [Fraction(1)]  # of Gamma*, from the Bernoulli numbers
    log_terms = [
        0,
        Fraction(1, 12),
        0,
        Fraction(-1, 360),
        0,
        Fraction(1, 1260),
        0,
        Fraction(-1, 1680),
        0,
        Fraction(1, 1188),
    ]
    for n in range(1, 10):
        stirling.append(sum((i * log_terms[i] * stirling[n - i] for i in range(1, n + 1)), Fraction(0)) / n)
    row = [inverse[n + 1] for n in range(terms)]
    for k in range(len(TEMME)):
        if k > 0:
            sign = (-1) ** k * stirling[k]
            row = [(i + 2) * row[i + 2] + sign * inverse[i + 1] for i in range(len(row) - 2)]
        assert TEMME[k] == tuple(float(value) for value in row[: len(TEMME[k])])
