// Included before everything in Verilator's runtime: what a model prints goes to standard error; a fatal error, or a
// warning of the runtime ($readmemh without its file), is an exception that the run catches.
#ifndef NETFOLD_VERILATED_H
#define NETFOLD_VERILATED_H

int netfold_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define VL_PRINTF netfold_printf
#define VL_USER_FATAL 1
#define VL_USER_WARN 1

#endif
