"""System V and POSIX objects that a machine shares where namespaces do not divide it."""

import os

from kit import DENIED, Refused, attempt, denied, harmless, syscall


@attempt(DENIED)
def shared_memory_of_the_host(world):
    syscall("shmget", world["shm_key"], 0, 0o666)


@attempt(denied("EINVAL"))
def shared_memory_of_the_host_by_id(world):
    for number in range(64):
        try:
            return syscall("shmat", number, 0, 0o10000)
        except OSError as error:
            last = error
    raise last


@attempt(harmless("the sandbox has System V objects of its own, and its memory is bounded"))
def shared_memory_of_its_own(world):
    syscall("shmctl", syscall("shmget", 0x1A3B, 4096, 0o1666), 0, 0)


@attempt(harmless("the sandbox has System V objects of its own"))
def message_queue_of_its_own(world):
    syscall("msgget", 0x1A3C, 0o1666)


@attempt(harmless("the sandbox has System V objects of its own"))
def semaphores_of_its_own(world):
    syscall("semget", 0x1A3D, 4, 0o1666)


@attempt(DENIED)
def posix_memory_of_the_host(world):
    fd = os.open("/dev/shm/" + world["shm_file"], os.O_RDWR)
    os.write(fd, b"escape")


@attempt(harmless("message queues of the sandbox's own namespace"))
def posix_queue(world):
    syscall("mq_open", b"lambda-escape", os.O_CREAT | os.O_RDWR, 0o666, 0)


@attempt(DENIED)
def posix_queue_of_the_host(world):
    name = next((n for n in os.listdir("/dev/mqueue") if n != "lambda-escape"), None)
    if name is None:
        raise Refused("there is none")
    return name


@attempt(DENIED)
def memory_of_a_neighbour(world):
    fd = os.open("/dev/shm/neighbour", os.O_RDONLY)
    return os.read(fd, 100)


@attempt(DENIED)
def files_of_a_neighbour(world):
    return os.open("/tmp/neighbour", os.O_RDONLY)
