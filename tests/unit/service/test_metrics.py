"""Metrics as Prometheus reads them."""

from appshield.service.metrics import Gauge, Sample, exposition


def test_a_gauge_says_what_it_is_and_each_of_its_values() -> None:
    """With a value for everything that it is about; text may hold anything."""
    gauge = Gauge("age_seconds", "How old.", (Sample({}, 1.5), Sample({"app": 'a"b\\c\nd'}, 3_600)))
    assert exposition([gauge]) == (
        "# HELP age_seconds How old.\n"
        "# TYPE age_seconds gauge\n"
        "age_seconds 1.5\n"
        'age_seconds{app="a\\"b\\\\c\\nd"} 3600\n'
    )


def test_nothing_measured_is_nothing_written() -> None:
    """An empty answer is a good one."""
    assert exposition([]) == ""
