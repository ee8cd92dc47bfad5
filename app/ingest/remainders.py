"""The rest of a long body on its way in: in a file until all of it has come."""

import errno
from tempfile import SpooledTemporaryFile

HELD_BYTES = 128 * 1024
"""Of it that is held in memory: very many senders of large bodies take hardly any."""
NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EACCES, errno.EMFILE}
"""Why the file can't be written, by the number of the OSError."""


class Remainder(SpooledTemporaryFile[bytes]):
    """Raises OSError, with a number of NO_PLACE, where there is no room for it."""

    def __init__(self) -> None:
        super().__init__(HELD_BYTES)

    def take(self) -> bytes:
        """All that was written."""
        self.seek(0)
        return self.read()
