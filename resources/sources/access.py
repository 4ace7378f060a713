"""What a deployment lends to sources: clients, connections, bounds.

Does not belong here: what a pipeline asks of a source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resources.sources.web_policy import ANY_PUBLIC_HOST, WebPolicy

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass(frozen=True, slots=True)
class Access:
    """What a source may use to reach its data.

    Attributes:
        s3_client: makes the client, called for `s3://` alone.
        web: which hosts may be asked.
        connections: URLs of SQL databases by name; they hold passwords.
        query_seconds: how long one query may take.
    """

    s3_client: "Callable[[], S3Client]"
    web: WebPolicy = ANY_PUBLIC_HOST
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    query_seconds: float = 600.0
