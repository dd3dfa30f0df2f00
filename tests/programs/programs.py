"""Small programs whose counts are known by arithmetic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# Touches argv[1] fresh pages itself, and argv[2] more in a child it waits for.
PAGES = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
static void touch(long pages) {
    long size = sysconf(_SC_PAGESIZE);
    char *area;
    if (!pages) return;
    area = mmap(0, pages * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(area, pages * size, MADV_NOHUGEPAGE);
    for (long i = 0; i < pages; i++) area[i * size] = 1;
}
int main(int argc, char **argv) {
    touch(atol(argv[1]));
    if (argc > 2 && !fork()) { touch(atol(argv[2])); _exit(0); }
    wait(0);
    puts("FPS: 12.5");
    return argc > 3 ? atoi(argv[3]) : 0;
}
"""

# Burns CPU in one function for argv[1] rounds, with frame pointers, in the main thread and one more.
BURN = """
#include <pthread.h>
#include <stdlib.h>
volatile unsigned long sink;
__attribute__((noinline)) void tick(void) { sink++; }
/* no leaf: compilers leave the frame pointer out of those, and the caller would be lost */
__attribute__((noinline)) void burn_here(long n) { tick(); for (long i = 0; i < n; i++) sink += i * i; }
__attribute__((noinline)) void caller_of_burn(long n) { burn_here(n); sink++; }
static void *second(void *n) { caller_of_burn((long)n); return 0; }
int main(int argc, char **argv) {
    long n = atol(argv[1]);
    pthread_t thread;
    pthread_create(&thread, 0, second, (void *)n);
    caller_of_burn(n);
    pthread_join(thread, 0);
    return 0;
}
"""

# Sleeps argv[1] times; each is at least one switch to another thread.
SLEEPS = "import sys, time\nfor _ in range(int(sys.argv[1])): time.sleep(0.001)"


def compiled(source: str, folder: Path, name: str) -> str:
    """Path of the program."""
    file = folder / f"{name}.c"
    file.write_text(source)
    command = ["cc", "-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-pthread"]
    subprocess.run([*command, "-o", str(folder / name), str(file)], check=True)
    return str(folder / name)


def python(*words: str) -> tuple[str, ...]:
    """A child that is this interpreter, without the user's site."""
    return (sys.executable, "-I", "-S", *words)
