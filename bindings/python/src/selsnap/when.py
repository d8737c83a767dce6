# SPDX-License-Identifier: Apache-2.0
"""Times: nanoseconds since 1970 UTC, as the library has them; a datetime is taken as well."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Optional, Union

#: A time to give: nanoseconds since 1970 UTC, or a datetime (one without a zone is local time).
When = Union[int, datetime]

_BEGIN = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_ns(when: Optional[When]) -> int:
    """Nanoseconds; 0 for None."""
    if when is None:
        return 0
    if isinstance(when, datetime):
        return (when.astimezone(timezone.utc) - _BEGIN) // timedelta(microseconds=1) * 1000
    return when


def to_datetime(time_ns: int) -> datetime:
    """A time of the library as a datetime in UTC; what is below a microsecond is left out."""
    return _BEGIN + timedelta(microseconds=time_ns // 1000)
