"""Keeps files in memory during a measurement. Virtual machines with ballooning drop cached pages
after a few idle seconds, and the benchmark would then measure the disk."""

import concurrent.futures
import ctypes
import mmap
import os

_PAGE = 4096
_READERS = 16
_LARGEST_SHARE = 0.7  # of the memory that is left
_MADV_RANDOM = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
)  # fmt: skip
for _call in (_libc.mlock, _libc.munmap):
    _call.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Held:
    """Files locked in memory until `close`."""

    def __init__(self, paths):
        self._mapped = []
        try:
            self._hold(paths)
        except BaseException:
            self.close()
            raise

    def _hold(self, paths):
        sizes = {path: os.path.getsize(path) for path in paths}
        if sum(sizes.values()) > _LARGEST_SHARE * _available():
            raise MemoryError("the database does not fit into memory")
        for path, size in sizes.items():
            if size:
                _read(path, size)
                self._lock(path, size)

    def _lock(self, path, size):
        file = os.open(path, os.O_RDONLY)
        try:
            address = _libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
        finally:
            os.close(file)
        if address == ctypes.c_void_p(-1).value:
            raise _error(path)
        self._mapped.append((address, size))
        _libc.madvise(address, size, _MADV_RANDOM)
        if _libc.mlock(address, size) != 0:
            raise _error(path)

    def close(self):
        """Unlocks the files."""
        for address, size in self._mapped:
            _libc.munmap(address, size)
        self._mapped = []


def _available():
    with open("/proc/meminfo", encoding="ascii") as lines:
        line = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def _error(path):
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)


def _read(path, size):
    """Reads the file page by page, as a server does that finds its rows by an index. The kernel
    then caches single pages. Larger reads would create large folios, and a write to a large folio
    costs many times as much."""
    share = -(-size // _PAGE // _READERS) * _PAGE

    def read_share(number):
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
            for offset in range(number * share, min((number + 1) * share, size), _PAGE):
                os.pread(file, _PAGE, offset)
        finally:
            os.close(file)

    with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
        list(readers.map(read_share, range(_READERS)))
