"""Takes args[0] MiB of memory, writes to each page, and prints how many."""

import sys

kept = b"x" * (int(sys.argv[1]) << 20)
print(len(kept) >> 20)
