"""Polynomials for restic's chunker are irreducible, or restic refuses the repository."""

from appshield.repository.polynomial import DEGREE, is_irreducible, random_polynomial


def product(one: int, other: int) -> int:
    result = 0
    while other:
        result ^= one * (other & 1)
        one, other = one << 1, other >> 1
    return result


def test_small_polynomials_are_judged_as_a_sieve_does() -> None:
    """Up to degree 9, exactly the ones that are no product are irreducible."""
    limit = 1 << 10
    products = {
        product(one, other)
        for one in range(2, limit)
        for other in range(2, limit)
        if one.bit_length() + other.bit_length() <= 11
    }
    assert [p for p in range(2, limit) if p not in products] == list(
        filter(is_irreducible, range(limit))
    )


def test_the_one_that_restic_uses_in_its_tests_is_irreducible() -> None:
    """A known polynomial of degree 53, and its neighbours that are none."""
    assert is_irreducible(0x3DA3358B4DC173)
    assert not is_irreducible(0x3DA3358B4DC172)
    assert not is_irreducible(product(0b111, 1 << 51 | 0b1011))


def test_random_ones_have_degree_53_and_differ() -> None:
    """As restic draws them."""
    drawn = {random_polynomial() for _ in range(5)}
    assert len(drawn) == 5
    assert all(is_irreducible(p) and p.bit_length() == DEGREE + 1 for p in drawn)
