/* Enough of QEMU to load the plugin and have it count: reads commands from stdin, answers "ok" to each.
 *
 *   vcpu N              a vCPU comes to life
 *   block NAME HEX...   translate a block of these instructions (4 digits: compressed)
 *   run N NAME TIMES    vCPU N executes the block so often
 *   touch N NAME I AT SHIFT RW   instruction I of the block accesses 1 << SHIFT bytes at AT (hexadecimal); RW: r or w
 *   flush               all translations are thrown away
 *   fork                a child executes the block "child" once on vCPU 0 and ends
 */
#define _GNU_SOURCE
#include "qemu_abi.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct qemu_plugin_insn {
    uint32_t word;
    size_t size;
    qemu_plugin_vcpu_udata_cb_t call;
    void *data;
    qemu_plugin_vcpu_mem_cb_t access;
    void *access_data;
};
struct qemu_plugin_tb {
    char name[32];
    size_t n;
    struct qemu_plugin_insn instruction[64];
    qemu_plugin_vcpu_udata_cb_t call;
    void *data;
};

static qemu_plugin_vcpu_simple_cb_t init;
static qemu_plugin_vcpu_tb_trans_cb_t translate;
static qemu_plugin_simple_cb_t flush;
static struct qemu_plugin_tb blocks[16];
static int n_blocks;

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_simple_cb_t f) { (void)id; init = f; }
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, qemu_plugin_vcpu_tb_trans_cb_t f) { (void)id; translate = f; }
void qemu_plugin_register_flush_cb(qemu_plugin_id_t id, qemu_plugin_simple_cb_t f) { (void)id; flush = f; }
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, qemu_plugin_vcpu_udata_cb_t f, int flags, void *data)
{
    (void)flags;
    tb->call = f;
    tb->data = data;
}
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *i, qemu_plugin_vcpu_udata_cb_t f, int flags, void *data)
{
    (void)flags;
    i->call = f;
    i->data = data;
}
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *i, qemu_plugin_vcpu_mem_cb_t f, int flags, int rw, void *data)
{
    (void)flags;
    if (rw != QEMU_PLUGIN_MEM_RW)
        exit(6);
    i->access = f;
    i->access_data = data;
}
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info) { return info & 15; }
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info) { return info >> 4 & 1; }
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb) { return tb->n; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i)
{
    return (struct qemu_plugin_insn *)&tb->instruction[i];
}
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *i) { return i->size; }
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *i) { (void)i; return 0x1000; }
#if QEMU_API < 3
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *i) { return &i->word; }
#else
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *i, void *to, size_t n) { memcpy(to, &i->word, n); return n; }
#endif

static struct qemu_plugin_tb *named(const char *name)
{
    for (int i = 0; i < n_blocks; i++)
        if (strcmp(blocks[i].name, name) == 0)
            return &blocks[i];
    exit(3);
}

static void execute(unsigned vcpu, const struct qemu_plugin_tb *tb)
{
    if (tb->call)
        tb->call(vcpu, tb->data);
    for (size_t i = 0; i < tb->n; i++)
        if (tb->instruction[i].call)
            tb->instruction[i].call(vcpu, tb->instruction[i].data);
}

static void obey(char *line)
{
    char *word = strtok(line, " \n");
    if (strcmp(word, "vcpu") == 0) {
        init(1, (unsigned)atoi(strtok(NULL, " \n")));
    } else if (strcmp(word, "block") == 0) {
        struct qemu_plugin_tb *tb = &blocks[n_blocks++];
        strncpy(tb->name, strtok(NULL, " \n"), sizeof tb->name - 1);
        while ((word = strtok(NULL, " \n")))
            tb->instruction[tb->n++] = (struct qemu_plugin_insn){(uint32_t)strtoul(word, NULL, 16), strlen(word) / 2, NULL, NULL, NULL, NULL};
        translate(1, tb);
    } else if (strcmp(word, "run") == 0) {
        unsigned vcpu = (unsigned)atoi(strtok(NULL, " \n"));
        struct qemu_plugin_tb *tb = named(strtok(NULL, " \n"));
        for (int times = atoi(strtok(NULL, " \n")); times > 0; times--)
            execute(vcpu, tb);
    } else if (strcmp(word, "touch") == 0) {
        unsigned vcpu = (unsigned)atoi(strtok(NULL, " \n"));
        struct qemu_plugin_tb *tb = named(strtok(NULL, " \n"));
        struct qemu_plugin_insn *i = &tb->instruction[atoi(strtok(NULL, " \n"))];
        uint64_t at = strtoull(strtok(NULL, " \n"), NULL, 16);
        unsigned shift = (unsigned)atoi(strtok(NULL, " \n"));
        if (i->access)
            i->access(vcpu, shift | (*strtok(NULL, " \n") == 'w') << 4, at, i->access_data);
    } else if (strcmp(word, "flush") == 0) {
        flush(1);
        n_blocks = 0;
        memset(blocks, 0, sizeof blocks);
    } else if (strcmp(word, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            execute(0, named("child"));
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    /* fake_qemu PLUGIN TARGET ARGUMENTS... */
    void *plugin = dlopen(argv[1], RTLD_NOW);
    if (!plugin) {
        fprintf(stderr, "%s\n", dlerror());
        return 4;
    }
    int (*install)(qemu_plugin_id_t, const qemu_info_t *, int, char **) = dlsym(plugin, "qemu_plugin_install");
    qemu_info_t info = {.target_name = argv[2]};
    if (*(int *)dlsym(plugin, "qemu_plugin_version") != QEMU_API || install(1, &info, argc - 3, argv + 3) != 0)
        return 5;
    static char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        obey(line);
        puts("ok");
        fflush(stdout);
    }
    return 0;
}
