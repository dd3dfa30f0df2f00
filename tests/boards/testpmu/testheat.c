// SPDX-License-Identifier: GPL-2.0
/*
 * Test equipment: a thermal zone whose temperature is known by arithmetic, as no emulated board has a sensor.
 *
 * It is at 30 degrees. A program that writes "PEAK FALL" to /dev/testheat has it jump to PEAK and fall by FALL a second
 * from there on, down to 30 degrees again; both are thousandths of a degree. With peak and fall as parameters it does so
 * once, as soon as it has been read after_reads times. Its name says that it is test equipment.
 */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/thermal.h>
#include <linux/uaccess.h>

#define FLOOR 30000
static int peak = FLOOR;
module_param(peak, int, 0444);
MODULE_PARM_DESC(peak, "thousandths of a degree to which it jumps once it has been read after_reads times");
static uint fall;
module_param(fall, uint, 0444);
MODULE_PARM_DESC(fall, "thousandths of a degree by which it falls in a second from there on");
static uint after_reads;
module_param(after_reads, uint, 0444);
MODULE_PARM_DESC(after_reads, "readings of 30 degrees before the jump");

static DEFINE_SPINLOCK(lock);
static u64 jump_ns;
static struct thermal_zone_device *zone;

static int testheat_get_temp(struct thermal_zone_device *device, int *temperature)
{
	u64 now, fallen;

	spin_lock(&lock);
	now = ktime_get_ns();
	if (after_reads) {
		*temperature = FLOOR;
		after_reads--;
		jump_ns = now;
	} else {
		fallen = div_u64((now - jump_ns) / NSEC_PER_USEC * fall, USEC_PER_SEC);
		*temperature = fallen > peak - FLOOR ? FLOOR : peak - (int)fallen;
	}
	spin_unlock(&lock);
	return 0;
}
static const struct thermal_zone_device_ops operations = { .get_temp = testheat_get_temp };
static const struct thermal_zone_params parameters = { .no_hwmon = true };

static ssize_t heat_write(struct file *file, const char __user *from, size_t size, loff_t *offset)
{
	char text[48] = "";
	int to;
	uint by;

	if (size >= sizeof(text) || copy_from_user(text, from, size))
		return -EINVAL;
	if (sscanf(text, "%d %u", &to, &by) != 2 || to < FLOOR)
		return -EINVAL;
	spin_lock(&lock);
	after_reads = 0;
	peak = to;
	fall = by;
	jump_ns = ktime_get_ns();
	spin_unlock(&lock);
	return size;
}
static const struct file_operations heat = { .owner = THIS_MODULE, .write = heat_write };
static struct miscdevice device = { .minor = MISC_DYNAMIC_MINOR, .name = "testheat", .fops = &heat, .mode = 0666 };

static int __init testheat_init(void)
{
	int error;

	if (peak < FLOOR)
		return -EINVAL;
	jump_ns = ktime_get_ns();
	zone = thermal_tripless_zone_device_register("soc-test-equipment", NULL, &operations, &parameters);
	if (IS_ERR(zone))
		return PTR_ERR(zone);
	error = misc_register(&device);
	if (error)
		thermal_zone_device_unregister(zone);
	return error;
}

static void __exit testheat_exit(void)
{
	misc_deregister(&device);
	thermal_zone_device_unregister(zone);
}

module_init(testheat_init);
module_exit(testheat_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A thermal zone whose temperature is known by arithmetic: test equipment of hwprof");
