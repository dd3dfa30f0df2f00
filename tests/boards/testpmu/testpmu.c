// SPDX-License-Identifier: GPL-2.0
/*
 * Test equipment: PMUs whose counts are known by arithmetic, for perf events that no emulated board has.
 *
 * A program that writes "CODE N" to /dev/testpmu adds N to the register CODE of the CPU that it runs on, in its own
 * name: an event counts what is added while it is enabled and scheduled with its task. With period_ns, misses advance
 * by one each period_ns of time as well, and references and branches by ten. Each PMU says in its folder of sysfs that
 * it is test equipment (test_equipment), and names there every generic event that it answers.
 */
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

static uint counters = 2;
module_param(counters, uint, 0444);
MODULE_PARM_DESC(counters, "events that count at the same time on a CPU; the others of a program wait for their turn");
static uint counters2;
module_param(counters2, uint, 0444);
MODULE_PARM_DESC(counters2, "the same of the second PMU (0: as many)");
static uint period_ns;
module_param(period_ns, uint, 0444);
MODULE_PARM_DESC(period_ns, "time in which misses advance by one (0: what is written alone)");
static uint split;
module_param(split, uint, 0444);
MODULE_PARM_DESC(split, "CPUs from this one on belong to a second PMU, as another kind of core (0: one PMU)");
static bool cycles;
module_param(cycles, bool, 0444);
MODULE_PARM_DESC(cycles, "count cycles and instructions too, one each ns: a whole core PMU");
static bool cpus_file;
module_param(cpus_file, bool, 0444);
MODULE_PARM_DESC(cpus_file, "show the CPUs in sysfs, as the PMU of a kind of core does");
static bool software = true;
module_param(software, bool, 0444);
MODULE_PARM_DESC(software, "be a software context: events may join groups of the CPU's own PMU");
static int type = -1;
module_param(type, int, 0444);
MODULE_PARM_DESC(type, "number of the PMU; 4 (raw events) is asked first for generic events");

enum { REFERENCES = 0x10, MISSES, BRANCHES, BRANCH_MISSES, CYCLES, INSTRUCTIONS, L1D_MISSES, ENERGY, CODES };
#define PMUS 2
#define L1D_LOAD_MISSES \
	(PERF_COUNT_HW_CACHE_L1D | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_MISS << 16)

struct testpmu {
	struct pmu pmu;
	cpumask_t cpus;
	bool registered;
};

static struct testpmu testpmus[PMUS];
static DEFINE_PER_CPU(u64, registers[CODES]);
static DEFINE_PER_CPU(unsigned long, used[PMUS]); /* a bit for each counter that is taken */

static struct testpmu *testpmu_of(struct pmu *pmu)
{
	return container_of(pmu, struct testpmu, pmu);
}

static uint counters_of(struct testpmu *t)
{
	return t == &testpmus[1] && counters2 ? counters2 : counters;
}

static u64 register_value(int code)
{
	u64 written = this_cpu_read(registers[code]);
	u64 now = ktime_get_mono_fast_ns();

	switch (code) {
	case CYCLES:
	case INSTRUCTIONS:
		return written + now;
	case MISSES:
	case BRANCH_MISSES:
	case L1D_MISSES:
		return written + (period_ns ? div_u64(now, period_ns) : 0);
	case REFERENCES:
	case BRANCHES:
		return written + (period_ns ? div_u64(10 * now, period_ns) : 0);
	}
	return written;
}

/* The register behind an event; -ENOENT: another PMU may have it, -EINVAL: none has. */
static int code_of(struct perf_event *event)
{
	u64 config = event->attr.config;

	if (event->attr.type == event->pmu->type)
		return config >= REFERENCES && config < CODES ? config : -EINVAL;
	if (event->attr.type == PERF_TYPE_HW_CACHE)
		return config == L1D_LOAD_MISSES ? L1D_MISSES : -ENOENT;
	if (event->attr.type != PERF_TYPE_HARDWARE)
		return -ENOENT;
	switch (config) {
	case PERF_COUNT_HW_CACHE_REFERENCES:
		return REFERENCES;
	case PERF_COUNT_HW_CACHE_MISSES:
		return MISSES;
	case PERF_COUNT_HW_BRANCH_INSTRUCTIONS:
		return BRANCHES;
	case PERF_COUNT_HW_BRANCH_MISSES:
		return BRANCH_MISSES;
	case PERF_COUNT_HW_CPU_CYCLES:
		return cycles ? CYCLES : -ENOENT;
	case PERF_COUNT_HW_INSTRUCTIONS:
		return cycles ? INSTRUCTIONS : -ENOENT;
	}
	return -ENOENT;
}

static int testpmu_event_init(struct perf_event *event)
{
	struct testpmu *t = testpmu_of(event->pmu);
	struct perf_event *leader = event->group_leader, *sibling;
	uint members = 1;
	int code = code_of(event);

	if (code < 0)
		return code;
	if (event->cpu >= 0 && !cpumask_test_cpu(event->cpu, &t->cpus))
		return -ENOENT;
	if (leader != event) {
		members += leader->pmu == event->pmu;
		for_each_sibling_event(sibling, leader)
			members += sibling->pmu == event->pmu;
	}
	if (members > counters_of(t))
		return -EINVAL;
	event->hw.config = code;
	event->hw.idx = -1;
	return 0;
}

/* Accesses are the program's own work: an event that excludes user mode counts none of them. */
static void testpmu_read(struct perf_event *event)
{
	u64 now = register_value(event->hw.config);
	u64 before = local64_xchg(&event->hw.prev_count, now);

	if (!event->attr.exclude_user)
		local64_add(now - before, &event->count);
}

static void testpmu_start(struct perf_event *event, int flags)
{
	local64_set(&event->hw.prev_count, register_value(event->hw.config));
	event->hw.state = 0;
}

static void testpmu_stop(struct perf_event *event, int flags)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		testpmu_read(event);
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
}

static int testpmu_add(struct perf_event *event, int flags)
{
	struct testpmu *t = testpmu_of(event->pmu);
	unsigned long *taken = this_cpu_ptr(&used[t - testpmus]);
	uint index = find_first_zero_bit(taken, BITS_PER_LONG);

	if (!cpumask_test_cpu(smp_processor_id(), &t->cpus))
		return -ENOENT;
	if (index >= counters_of(t))
		return -EAGAIN;
	__set_bit(index, taken);
	event->hw.idx = index;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (flags & PERF_EF_START)
		testpmu_start(event, flags);
	return 0;
}

static void testpmu_del(struct perf_event *event, int flags)
{
	testpmu_stop(event, PERF_EF_UPDATE);
	__clear_bit(event->hw.idx, this_cpu_ptr(&used[testpmu_of(event->pmu) - testpmus]));
}

/* true: not to be scheduled on this CPU, which another kind of core is */
static bool testpmu_filter(struct pmu *pmu, int cpu)
{
	return !cpumask_test_cpu(cpu, &testpmu_of(pmu)->cpus);
}

PMU_FORMAT_ATTR(event, "config:0-7");
static struct attribute *format_files[] = { &format_attr_event.attr, NULL };
static const struct attribute_group format_folder = { .name = "format", .attrs = format_files };

#define EVENT(variable, file, text) PMU_EVENT_ATTR_STRING(file, variable, text)
EVENT(references_file, cache-references, "event=0x10");
EVENT(misses_file, cache-misses, "event=0x11");
EVENT(branches_file, branch-instructions, "event=0x12");
EVENT(branch_misses_file, branch-misses, "event=0x13");
EVENT(cycles_file, cpu-cycles, "event=0x14");
EVENT(instructions_file, instructions, "event=0x15");
EVENT(l1d_misses_file, L1-dcache-load-misses, "event=0x16");
EVENT(energy_file, energy, "event=0x17");
EVENT(energy_scale_file, energy.scale, "2.5e-1");
EVENT(energy_unit_file, energy.unit, "Joules");

#define CYCLES_FIRST 2
static struct attribute *event_files[] = {
	&cycles_file.attr.attr, &instructions_file.attr.attr,
	&references_file.attr.attr, &misses_file.attr.attr, &branches_file.attr.attr, &branch_misses_file.attr.attr,
	&l1d_misses_file.attr.attr, &energy_file.attr.attr, &energy_scale_file.attr.attr, &energy_unit_file.attr.attr,
	NULL
};
static struct attribute_group events_folder = { .name = "events", .attrs = event_files };

static ssize_t test_equipment_show(struct device *device, struct device_attribute *attribute, char *buffer)
{
	return sysfs_emit(buffer, "counts are known by arithmetic, no machine's\n");
}
static DEVICE_ATTR_RO(test_equipment);

static ssize_t cpus_show(struct device *device, struct device_attribute *attribute, char *buffer)
{
	struct pmu *pmu = dev_get_drvdata(device);

	return cpumap_print_to_pagebuf(true, buffer, &testpmu_of(pmu)->cpus);
}
static DEVICE_ATTR_RO(cpus);

static struct attribute *own_files[] = { &dev_attr_test_equipment.attr, NULL, NULL };
static const struct attribute_group own_folder = { .attrs = own_files };
static const struct attribute_group *folders[] = { &format_folder, &events_folder, &own_folder, NULL };

static ssize_t accesses_write(struct file *file, const char __user *from, size_t size, loff_t *offset)
{
	char text[48] = "";
	uint code;
	u64 number;

	if (size >= sizeof(text) || copy_from_user(text, from, size))
		return -EINVAL;
	if (sscanf(text, "%i %llu", &code, &number) != 2 || code < REFERENCES || code >= CODES)
		return -EINVAL;
	this_cpu_add(registers[code], number);
	return size;
}
static const struct file_operations accesses = { .owner = THIS_MODULE, .write = accesses_write };
static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "testpmu", .fops = &accesses, .mode = 0666 };

static int testpmu_register(struct testpmu *t, const char *name, int number)
{
	int error;

	t->pmu = (struct pmu){
		.module = THIS_MODULE,
		.task_ctx_nr = software ? perf_sw_context : perf_hw_context,
		.attr_groups = folders,
		.event_init = testpmu_event_init,
		.add = testpmu_add,
		.del = testpmu_del,
		.start = testpmu_start,
		.stop = testpmu_stop,
		.read = testpmu_read,
		.filter = testpmu_filter,
		.capabilities = PERF_PMU_CAP_NO_INTERRUPT | PERF_PMU_CAP_EXTENDED_HW_TYPE,
	};
	error = perf_pmu_register(&t->pmu, name, number);
	t->registered = !error;
	return error;
}

static void testpmu_unregister(void)
{
	int i;

	for (i = 0; i < PMUS; i++)
		if (testpmus[i].registered)
			perf_pmu_unregister(&testpmus[i].pmu);
}

static int __init testpmu_init(void)
{
	int cpu, error;

	if (!counters || max(counters, counters2) > BITS_PER_LONG)
		return -EINVAL;
	if (!cycles)
		events_folder.attrs = event_files + CYCLES_FIRST;
	if (cpus_file)
		own_files[1] = &dev_attr_cpus.attr;
	for_each_possible_cpu(cpu)
		cpumask_set_cpu(cpu, &testpmus[split && cpu >= split].cpus);
	error = testpmu_register(&testpmus[0], split ? "testpmu_big" : "testpmu", type);
	if (!error && split)
		error = testpmu_register(&testpmus[1], "testpmu_little", -1);
	if (!error)
		error = misc_register(&device);
	if (error)
		testpmu_unregister();
	return error;
}

static void __exit testpmu_exit(void)
{
	misc_deregister(&device);
	testpmu_unregister();
}

module_init(testpmu_init);
module_exit(testpmu_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("PMUs whose counts are known by arithmetic: test equipment of hwprof");
