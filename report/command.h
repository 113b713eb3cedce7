/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - the commands, one cmd_*.c each. argv[0] is the command's name; the result is the exit
 * status: 0 fine, 1 the answer is bad, 2 usage or trouble (the reason was printed).
 */
#ifndef HEAPRAY_COMMAND_H
#define HEAPRAY_COMMAND_H

int cmd_run(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_breakdown(int argc, char **argv);
int cmd_stacks(int argc, char **argv);
int cmd_zones(int argc, char **argv);
int cmd_growth(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_mark(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_clean(int argc, char **argv);

#endif
