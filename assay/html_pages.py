"""The templates of HTML pages: every value is escaped, and a name that a template does not get is an error."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(package: str) -> "Environment":
    """Return the environment of the templates in a package's folder `templates`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(package: str, template: str, functions: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """Return a page.

    Args:
        package: whose templates are used.
        template: file name.
        functions: filters, which the template can call by name, too.
        values: what the template fills in.
    """
    pages = environment(package)
    pages.filters.update(functions)
    pages.globals.update(functions)
    return pages.get_template(template).render(**values)
