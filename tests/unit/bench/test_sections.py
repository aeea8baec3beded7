"""Benchmarks that share a file of results leave each other's sections alone."""

from bench.sections import with_section


def test_a_section_is_rewritten_and_the_others_stay() -> None:
    """In the order of their titles, whoever wrote first."""
    text = with_section("# Measured\n", "(f) many objects", "| a |\n")
    text = with_section(text, "(b) restart", "slow")
    assert with_section(text, "(f) many objects", "| b |\n") == (
        "# Measured\n\n## (b) restart\n\nslow\n\n## (f) many objects\n\n| b |\n"
    )
