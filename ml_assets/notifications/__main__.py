"""`python -m ml_assets.notifications --test`: send a test notification to every configured channel."""

import argparse
import datetime as dt
import logging
import sys

from assay.errors import AssayError
from assay.notifications.wording import channel_test
from resources.notifications.notifier import notifier_of
from resources.settings import Settings


def main() -> int:
    """Send a test notification; return 0 if every channel delivered it, 2 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m ml_assets.notifications", description="Test the notification settings."
    )
    parser.add_argument("--test", action="store_true", required=True, help="send one notification to every channel")
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        notifier = notifier_of(Settings())
    except AssayError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    moment = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    answers = notifier.try_all(channel_test(notifier.ui_url, moment), logging.getLogger("assay.notifications"))
    for name, failure in answers.items():
        sys.stdout.write(f"{name}: {failure or 'delivered'}\n")
    return 2 if any(answers.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
