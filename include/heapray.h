/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heapray.h - what a program may tell heapray about itself.
 *
 * Nothing needs to be linked: the functions are weak, and calling one does nothing in a process that was
 * not started under heapray. A call takes well under a microsecond and never allocates.
 */
#ifndef HEAPRAY_H
#define HEAPRAY_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Something happened: a phase began ("warm"), or one more of what the program does was done ("request").
 * Each name keeps the times of its first and last call and their number. `heapray growth --since warm` starts
 * there; `--per request` divides by that number. At most 256 names; the text is copied.
 */
void heapray_mark(const char *name) __attribute__((weak));
#define heapray_mark(name) (heapray_mark ? heapray_mark(name) : (void)0)

#ifdef __cplusplus
}
#endif

#endif
