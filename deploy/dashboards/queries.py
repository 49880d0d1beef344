"""
The PromQL of panels, with one choice of series for all of them.

Plain Prometheus gives no `namespace`, Kubernetes does: the variables' All is `.*`, which matches a
label that is not there, too.
"""

__all__ = ["WHERE", "mean", "quantile", "rate", "ratio", "series", "total"]

WHERE = 'namespace=~"$namespace",job=~"$job",instance=~"$instance"'


def series(name: str, matchers: str = "", where: str = WHERE) -> str:
    """Select a metric's series as the dashboard's variables say, and by more matchers."""
    chosen = ",".join(part for part in (where, matchers) if part)
    return f"{name}{{{chosen}}}" if chosen else name


def total(name: str, by: str = "", matchers: str = "", where: str = WHERE) -> str:
    """Sum a gauge over instances."""
    return f"sum{_by(by)} ({series(name, matchers, where)})"


def rate(name: str, by: str = "", matchers: str = "") -> str:
    """Sum how much a counter grows in a second."""
    return f"sum{_by(by)} (rate({series(name, matchers)}[$__rate_interval]))"


def quantile(share: float, name: str, by: str = "", matchers: str = "") -> str:
    """Estimate what that share of a histogram's observations stays below."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{name}_bucket', labels, matchers)})"


def mean(name: str) -> str:
    """Divide the sum of a histogram's observations by their number."""
    return f"{rate(f'{name}_sum')} / {rate(f'{name}_count')}"


def ratio(part: str, whole: str) -> str:
    """Divide; 0 where nothing of the part was ever counted, no value where there is no whole."""
    return f"({part} or vector(0)) / ({whole} > 0)"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
