/* Counts RISC-V instructions by class, per vCPU, into a file that others map and read while it runs.
 *
 * Arguments: out=PATH (needed), slots=N (vCPUs that can be counted, default 256),
 *            per=block (default) or per=instruction, user=on (skip the kernel's and the firmware's code),
 *            l1d=SIZE/WAYS/LINE and l2=SIZE/WAYS/LINE in bytes: model these caches for the first vCPU (hierarchy.h).
 *
 * per=block adds the counts of a translation block when it is entered: a block that a fault leaves half-way is counted
 * whole. per=instruction calls back before every instruction instead: nothing is counted that was not begun.
 *
 * The file: a header, the names of the counters, then one slot per vCPU on cache lines of its own. Only its vCPU
 * writes a slot, 8 bytes at a time, so that a reader never sees half a number. A vCPU without a slot is counted in
 * `lost` and nowhere else. A child of fork() counts into memory of its own: the file is the parent's alone.
 */
#define _GNU_SOURCE
#include "hierarchy.h"
#include "qemu_abi.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAGIC "hwprofRV"
#define VERSION 1
#define NAME 24
#define LINE 64

struct header {
    char magic[8];
    uint32_t version, counters, slots, names_at, slots_at, slot_bytes;
    uint32_t name_bytes, per_instruction;
    uint64_t lost;  /* vCPUs that found no slot */
    uint64_t forks; /* children that count elsewhere */
};

struct slot {
    uint64_t begun; /* vCPUs that had it, one after the other */
    uint64_t count[ALL_COUNTERS];
} __attribute__((aligned(LINE)));

struct part {
    uint32_t counter, n;
};

struct block { /* what entering a translation block adds */
    uint32_t parts;
    struct part part[];
};

struct chunk {
    struct chunk *next;
    size_t used;
    char bytes[64 << 10];
};

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_API;

static struct header *file;
static struct slot *slots;
static size_t file_bytes;
static uint32_t n_slots = 256;
static bool per_instruction, user_only;
static struct cache l1d, l2; /* without lines: not modelled */
static struct chunk *chunks;
static pthread_mutex_t arena = PTHREAD_MUTEX_INITIALIZER;

static void *keep(size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    if (!chunks || chunks->used + bytes > sizeof chunks->bytes) {
        struct chunk *fresh = malloc(sizeof *fresh);
        if (!fresh)
            abort();
        fresh->next = chunks;
        fresh->used = 0;
        chunks = fresh;
    }
    void *place = chunks->bytes + chunks->used;
    chunks->used += bytes;
    return place;
}

static inline void add(uint64_t *counter, uint64_t n)
{
    /* the only writer: no read-modify-write needed, only that a reader sees the old number or the new one */
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static void on_block(unsigned int vcpu, void *data)
{
    const struct block *block = data;
    if (vcpu >= n_slots)
        return; /* told in `lost` */
    uint64_t *count = slots[vcpu].count;
    for (uint32_t i = 0; i < block->parts; i++)
        add(&count[block->part[i].counter], block->part[i].n);
}

static void on_instruction(unsigned int vcpu, void *data)
{
    if (vcpu >= n_slots)
        return;
    uint64_t *count = slots[vcpu].count;
    add(&count[INSTRUCTIONS], 1);
    add(&count[(uintptr_t)data], 1);
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *is_vector)
{
    if (vcpu >= n_slots)
        return;
    uint64_t *count = slots[vcpu].count, bytes = 1u << qemu_plugin_mem_size_shift(info);
    if (vcpu != 0) { /* the caches are one hart's */
        add(&count[FOREIGN], 1);
        return;
    }
    if (is_vector)
        add(&count[VECTOR_ELEMENTS], 1); /* QEMU calls once for each element */
    add(&count[is_vector ? VECTOR_BYTES : SCALAR_BYTES], bytes);
    for (uint64_t line = address >> l1d.shift; line <= (address + bytes - 1) >> l1d.shift; line++) {
        if (is_cached(&l1d, line))
            continue;
        add(&count[qemu_plugin_mem_is_store(info) ? L1D_STORE_MISSES : L1D_LOAD_MISSES], 1);
        if (l2.lines && !is_cached(&l2, line << l1d.shift >> l2.shift))
            add(&count[L2_MISSES], 1);
    }
}

static int class_of(const struct qemu_plugin_insn *instruction)
{
    uint32_t word = 0;
    size_t size = qemu_plugin_insn_size(instruction);
    size_t wanted = size < sizeof word ? size : sizeof word;
#if QEMU_API < 3
    memcpy(&word, qemu_plugin_insn_data(instruction), wanted);
#else
    qemu_plugin_insn_data(instruction, &word, wanted);
#endif
    return classify(word, size);
}

static bool kernels(uint64_t address)
{
    /* Sv39 to Sv57: the kernel has the upper half. Firmware of QEMU's virt machine: the first 2 MiB of its memory. */
    return address >> 63 || (address >= 0x80000000u && address < 0x80200000u);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    size_t n = qemu_plugin_tb_n_insns(tb);
    uint32_t sums[COUNTERS] = {0};
    uint32_t parts = 0;

    if (n == 0 || (user_only && kernels(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)))))
        return;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(tb, i);
        int class = class_of(instruction);
        sums[INSTRUCTIONS]++;
        sums[class]++;
        if (l1d.lines)
            qemu_plugin_register_vcpu_mem_cb(instruction, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                             (void *)(uintptr_t)(class == VECTOR_LOAD || class == VECTOR_STORE));
        if (per_instruction)
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_instruction, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(uintptr_t)class);
    }
    if (per_instruction)
        return;
    for (int i = 0; i < COUNTERS; i++)
        parts += sums[i] != 0;
    pthread_mutex_lock(&arena); /* threads of a whole machine translate at the same time */
    struct block *block = keep(sizeof *block + parts * sizeof block->part[0]);
    pthread_mutex_unlock(&arena);
    block->parts = 0;
    for (uint32_t i = 0; i < COUNTERS; i++)
        if (sums[i])
            block->part[block->parts++] = (struct part){i, sums[i]};
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void on_flush(qemu_plugin_id_t id)
{
    (void)id; /* every translation is gone and nobody executes */
    pthread_mutex_lock(&arena);
    while (chunks) {
        struct chunk *next = chunks->next;
        free(chunks);
        chunks = next;
    }
    pthread_mutex_unlock(&arena);
}

static void on_vcpu(qemu_plugin_id_t id, unsigned int vcpu)
{
    (void)id;
    if (vcpu >= n_slots) {
        __atomic_fetch_add(&file->lost, 1, __ATOMIC_RELAXED);
        return;
    }
    add(&slots[vcpu].begun, 1);
}

static void in_child(void)
{
    __atomic_fetch_add(&file->forks, 1, __ATOMIC_RELAXED);
    void *own = mmap(file, file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (own == MAP_FAILED)
        _exit(127); /* better than to count into the parent's numbers */
}

static int refuse(const char *why, const char *what)
{
    fprintf(stderr, "hwprof's QEMU plugin: %s %s\n", why, what);
    return -1;
}

static int create(const char *path)
{
    size_t names_at = LINE * ((sizeof(struct header) + LINE - 1) / LINE);
    size_t slots_at = names_at + LINE * ((ALL_COUNTERS * NAME + LINE - 1) / LINE);
    file_bytes = slots_at + n_slots * sizeof(struct slot);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)file_bytes) != 0)
        return refuse("can't write", path);
    char *base = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (base == MAP_FAILED)
        return refuse("can't map", path);
    file = (struct header *)base;
    slots = (struct slot *)(base + slots_at);
    for (int i = 0; i < ALL_COUNTERS; i++)
        strncpy(base + names_at + i * NAME, i < COUNTERS ? names[i] : memory_names[i - COUNTERS], NAME - 1);
    *file = (struct header){
        .version = VERSION, .counters = l1d.lines ? ALL_COUNTERS : COUNTERS, .slots = n_slots,
        .names_at = (uint32_t)names_at, .slots_at = (uint32_t)slots_at, .slot_bytes = sizeof(struct slot),
        .name_bytes = NAME, .per_instruction = per_instruction,
    };
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(file->magic, MAGIC, sizeof file->magic); /* last: who sees it sees the rest */
    return 0;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                                               char **argv)
{
    const char *out = NULL;
    if (strcmp(info->target_name, "riscv64") != 0)
        return refuse("knows riscv64, not", info->target_name);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = argv[i] + 4;
        else if (strncmp(argv[i], "slots=", 6) == 0)
            n_slots = (uint32_t)strtoul(argv[i] + 6, NULL, 10);
        else if (strcmp(argv[i], "per=instruction") == 0 || strcmp(argv[i], "per=block") == 0)
            per_instruction = argv[i][4] == 'i';
        else if (strncmp(argv[i], "l1d=", 4) == 0 || strncmp(argv[i], "l2=", 3) == 0) {
            if (!make_cache(argv[i][1] == '1' ? &l1d : &l2, strchr(argv[i], '=') + 1))
                return refuse("can't model", argv[i]);
        } else if (strcmp(argv[i], "user=on") == 0)
            user_only = true;
        else
            return refuse("knows no argument", argv[i]);
    }
    if (!out || n_slots == 0 || n_slots > 1 << 16)
        return refuse("needs out=PATH and 1 to 65536 slots,", out ? "got another number" : "got no path");
    if (l2.lines && !l1d.lines)
        return refuse("can't model", "l2 without l1d");
    if (create(out) != 0)
        return -1;
    if (!info->system_emulation && pthread_atfork(NULL, NULL, in_child) != 0)
        return refuse("can't follow", "fork");
    qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_flush_cb(id, on_flush);
    return 0;
}
