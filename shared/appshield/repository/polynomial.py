"""Irreducible polynomials over GF(2), for the chunker of a restic client.

AppShield does not cut with them, but a restic that backs up into the same repository does, and it
refuses one that is not irreducible. A polynomial is an `int`: bit i is the coefficient of x^i.
"""

import secrets
from typing import Final

DEGREE: Final = 53


def random_polynomial() -> int:
    """Return a random irreducible polynomial of degree 53; about one in 53 candidates is one."""
    while True:
        candidate = secrets.randbits(DEGREE) | 1 << DEGREE | 1
        if is_irreducible(candidate):
            return candidate


def is_irreducible(polynomial: int) -> bool:
    """Tell whether nothing but 1 and itself divides `polynomial`.

    Ben-Or's form of Rabin's test: x^(2^i) - x is the product of all irreducible polynomials whose
    degree divides i, so a factor of degree i would show in the greatest common divisor.
    """
    degree = polynomial.bit_length() - 1
    if degree < 1:
        return False
    power = 0b10
    for _ in range(degree // 2):
        power = _remainder(_square(power), polynomial)
        if _greatest_common_divisor(polynomial, power ^ 0b10) != 1:
            return False
    return True


def _square(polynomial: int) -> int:
    # over GF(2) a square only moves bit i to bit 2i: read the binary digits as base 4
    return int(f"{polynomial:b}", 4)


def _remainder(dividend: int, divisor: int) -> int:
    length = divisor.bit_length()
    while (excess := dividend.bit_length() - length) >= 0:
        dividend ^= divisor << excess
    return dividend


def _greatest_common_divisor(one: int, other: int) -> int:
    while other:
        one, other = other, _remainder(one, other)
    return one
