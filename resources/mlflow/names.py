"""Names that MLflow takes."""

_LONGEST_NAME = 250


def allowed_name(name: str) -> str:
    """Return the name of a metric or parameter as MLflow takes it: up to 250 letters, digits and `_-./ `."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)[:_LONGEST_NAME]
