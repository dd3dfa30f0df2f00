/* What the parts of the program share. Modes: `prepare_*` before the counters open, `work_*` what is counted. */
#ifndef TRUTH_H
#define TRUTH_H

#include "kernels.h"

extern word argument;     /* the mode's third word, 0 where there is none */
extern char **arguments;  /* argv */

void report(const char *format, ...); /* more fields for the result: `, "name": value` */
void unsupported(const char *why);    /* say so and exit with 3 */
word now(int clock);                  /* nanoseconds */

void work_chain(word n);
void work_loads(word n);
void work_stores(word n);
void work_branches(word n);
void work_mispredict(word n);
void work_fp(word n);
void prepare_vector(void);
void work_vector(word n);
void work_vectorfp(word n);
void work_vectorload(word n);
void work_vectorstore(word n);
void prepare_tlb(void);
void work_tlb(word n);
void prepare_tlbstore(void);
void work_tlbstore(word n);
void prepare_itlb(void);
void work_itlb(word n);
void prepare_chase(void);
void work_chase(word n);
void touch(word n);
void prepare_switches(void);
void work_switches(word n);
void prepare_migrations(void);
void work_migrations(word n);
void work_busy(word n);
void prepare_illegal(void);
void work_illegal(word n);
void prepare_threads(void);
void work_threads(word n);
void work_fork(word n);
void work_exec(word n);

#endif
