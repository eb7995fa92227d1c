"""The regularised incomplete gamma function: both tails, for any shape, in constant time where the shape is large.

P(a, x) is the distribution function of a gamma variable, Q(k + 1, m) that of a Poisson variable.
"""

import math

import numpy as np

from fullshelf.kernels.compile import core
from fullshelf.kernels.special import SQRT_HALF, SQRT_TWO_PI, deviance, divergence, stirling_error

__all__ = ["gamma_mass", "gamma_tails"]

# Coefficients of Temme's uniform expansion (NIST DLMF 8.12.8 to 8.12.11): row k is the power series of c_k(eta) about
# 0, made in exact rational arithmetic from the recursion 8.12.11 and cut where a term stays below 3e-18 for a >= 32 and
# |eta| <= 0.48. `test_special.py` makes it again.
TEMME = (
    (
        -0.3333333333333333,
        0.08333333333333333,
        -0.014814814814814815,
        0.0011574074074074073,
        0.0003527336860670194,
        -0.0001787551440329218,
        3.919263178522438e-05,
        -2.185448510679992e-06,
        -1.85406221071516e-06,
        8.296711340953087e-07,
        -1.7665952736826078e-07,
        6.707853543401498e-09,
        1.0261809784240309e-08,
        -4.382036018453353e-09,
        9.14769958223679e-10,
        -2.5514193994946248e-11,
        -5.830772132550426e-11,
        2.4361948020667415e-11,
        -5.0276692801141755e-12,
    ),
    (
        -0.001851851851851852,
        -0.003472222222222222,
        0.0026455026455026454,
        -0.0009902263374485596,
        0.00020576131687242798,
        -4.018775720164609e-07,
        -1.8098550334489977e-05,
        7.64916091608111e-06,
        -1.6120900894563446e-06,
        4.647127802807434e-09,
        1.378633446915721e-07,
        -5.752545603517705e-08,
        1.1951628599778148e-08,
        -1.7543241719747647e-11,
        -1.0091543710600413e-09,
        4.162792991842583e-10,
        -8.56390702649298e-11,
    ),
    (
        0.004133597883597883,
        -0.0026813271604938273,
        0.0007716049382716049,
        2.0093878600823047e-06,
        -0.0001073665322636516,
        5.2923448829120125e-05,
        -1.2760635188618728e-05,
        3.423578734096138e-08,
        1.3721957309062934e-06,
        -6.298992138380055e-07,
        1.4280614206064242e-07,
        -2.0477098421990866e-10,
        -1.409252991086752e-08,
        6.228974084922022e-09,
        -1.3670488396617114e-09,
    ),
    (
        0.0006494341563786008,
        0.00022947209362139917,
        -0.0004691894943952557,
        0.00026772063206283885,
        -7.561801671883977e-05,
        -2.396505113867297e-07,
        1.1082654115347302e-05,
        -5.6749528269915965e-06,
        1.4230900732435883e-06,
        -2.7861080291528143e-11,
        -1.6958404091930278e-07,
        8.099464905388083e-08,
        -1.9111168485973655e-08,
    ),
    (
        -0.0008618882909167117,
        0.0007840392217200666,
        -0.0002990724803031902,
        -1.4638452578843418e-06,
        6.641498215465122e-05,
        -3.968365047179435e-05,
        1.1375726970678419e-05,
        2.507497226237533e-10,
        -1.6954149536558305e-06,
        8.907507532205309e-07,
        -2.292934834000805e-07,
        2.956794137544049e-11,
        2.8865829742708783e-08,
    ),
    (
        -0.00033679855336635813,
        -6.972813758365857e-05,
        0.0002772753244959392,
        -0.00019932570516188847,
        6.797780477937208e-05,
        1.419062920643967e-07,
        -1.3594048189768693e-05,
        8.018470256334202e-06,
        -2.291481176508095e-06,
        -3.252473551298454e-10,
        3.4652846491085265e-07,
    ),
    (
        0.0005313079364639922,
        -0.0005921664373536939,
        0.0002708782096718045,
        7.902353232660328e-07,
        -8.153969367561969e-05,
        5.61168275310625e-05,
        -1.8329116582843375e-05,
        -3.0796134506033047e-09,
        3.465155368803609e-06,
    ),
    (
        0.00034436760689237765,
        5.171790908260592e-05,
        -0.00033493161081142234,
        0.0002812695154763237,
        -0.00010976582244684731,
        -1.2741009095484485e-07,
        2.7744451511563645e-05,
        -1.8263488805711332e-05,
    ),
    (
        -0.0006526239185953094,
        0.0008394987206720873,
        -0.000438297098541721,
        -6.969091458420552e-07,
        0.00016644846642067547,
    ),
    (-0.0005967612901927463, -7.204895416020011e-05, 0.0006782308837667328),
)

EXPANSION = np.zeros((len(TEMME), max(len(row) for row in TEMME)))
for _k, _row in enumerate(TEMME):
    EXPANSION[_k, : len(_row)] = _row
LENGTHS = np.array([len(row) for row in TEMME])


@core
def gamma_mass(a: float, x: float) -> float:
    """Return x^a exp(-x) / Gamma(a + 1) for a >= 0 and x > 0: the Poisson probability of `a` at mean `x`.

    Loader's saddle-point form, whose relative error does not grow with the mean; the textbook's form loses 1e-9 at 1e6.
    """
    if a < 1.0:
        return math.exp(a * math.log(x) - x - math.lgamma(a + 1.0))
    return math.exp(-divergence(a, x, x - a) - stirling_error(a)) / (SQRT_TWO_PI * math.sqrt(a))


@core
def gamma_tails(a: float, x: float) -> tuple[float, float]:
    """Return P(a, x) and Q(a, x) = 1 - P(a, x), the smaller of the two to full relative precision; a > 0.

    Temme's expansion for a >= 32 near x = a, else the series of P below a + 1 and the continued fraction of Q above
    (DLMF 8.11.4 and 8.9.2).
    """
    if x <= 0.0:
        return 0.0, 1.0
    if x == math.inf:
        return 1.0, 0.0
    mu = (x - a) / a
    if a >= 32.0 and abs(mu) <= 0.4:
        half_square = deviance(mu)
        eta = math.copysign(math.sqrt(2.0 * half_square), mu)
        total = 0.0
        power = 1.0
        for k in range(10):
            term = 0.0
            for i in range(LENGTHS[k] - 1, -1, -1):
                term = term * eta + EXPANSION[k, i]
            total += term * power
            power /= a
            if power < 1e-15:
                break
        rest = math.exp(-a * half_square) / (SQRT_TWO_PI * math.sqrt(a)) * total
        root = eta * math.sqrt(a) * SQRT_HALF
        if eta < 0.0:
            lower = 0.5 * math.erfc(-root) - rest
            return lower, 1.0 - lower
        upper = 0.5 * math.erfc(root) + rest
        return 1.0 - upper, upper
    mass = gamma_mass(a, x)
    if x < a + 1.0:
        term = 1.0
        total = 1.0
        n = a
        while term > 1e-17 * total:
            n += 1.0
            term *= x / n
            total += term
        lower = min(mass * total, 1.0)
        return lower, 1.0 - lower
    # Lentz's form of x^a exp(-x) / Gamma(a) / (x + 1 - a - 1 (1 - a) / (x + 3 - a - ...))
    b = x + 1.0 - a
    c = 1e300
    d = 1.0 / b
    fraction = d
    for i in range(1, 100_000):
        numerator = -i * (i - a)
        b += 2.0
        d = numerator * d + b
        if abs(d) < 1e-300:
            d = 1e-300
        c = b + numerator / c
        if abs(c) < 1e-300:
            c = 1e-300
        d = 1.0 / d
        factor = c * d
        fraction *= factor
        if abs(factor - 1.0) < 1e-16:
            break
    upper = min(mass * a * fraction, 1.0)
    return 1.0 - upper, upper
