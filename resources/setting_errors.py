"""Values that the deployment's settings refuse, as a typed error."""

from pydantic import ValidationError

from assay.errors import SettingError


def setting_error(error: ValidationError, secret: frozenset[str]) -> SettingError:
    """Return the typed error of values that the settings refuse; it quotes none of a secret."""
    problems = error.errors(include_url=False, include_context=False)
    names = [str(each["loc"][0]) if each["loc"] else "" for each in problems]
    return SettingError(
        "a setting of the deployment is not acceptable",
        where=", ".join(f"ASSAY_{name.upper()}" for name in names),
        found=", ".join(
            "***" if name in secret else str(each["input"]) for name, each in zip(names, problems, strict=True)
        ),
        expected="; ".join(each["msg"] for each in problems),
        remedy="correct the variable of this process, or its line in the file .env",
    )
