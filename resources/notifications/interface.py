"""What every channel promises.

Does not belong here: any channel.
"""

from abc import ABC, abstractmethod

from assay.errors import AssayError
from assay.notices.notice import Notice

DEADLINE_SECONDS = 10.0


class DeliveryError(AssayError):
    """A channel did not take a notice, and may take it later."""

    code = "notice_undelivered"


class DeliveryRefusedError(DeliveryError):
    """A channel will not take the notice however often it is asked: an address or a credential is wrong."""

    code = "notice_refused"


class Channel(ABC):
    """One way to people. Neither its text nor its errors show an address that is secret."""

    name: str

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def deliver(self, notice: Notice) -> None:
        """Hand a notice over.

        Args:
            notice: what to tell.

        Raises:
            DeliveryError: the channel did not take it in time.
            DeliveryRefusedError: it never will.
        """
