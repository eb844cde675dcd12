// Verilator's user hooks, and file names of the design ($readmemh) relative to its own data folder.
#include "netfold_verilated.h"

#include <cstdarg>
#include <cstdio>
#include <stdexcept>
#include <string>

#include "netfold_data_dir.h"
#include "verilated.h"

namespace netfold {
thread_local const char* data_dir = nullptr;
}

int netfold_printf(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int written = std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    return written;
}

namespace {
[[noreturn]] void fail(const char* filename, int linenum, const char* msg) {
    std::string text = msg != nullptr && *msg != '\0' ? msg : "the design stopped with a fatal error";
    if (filename != nullptr && *filename != '\0') text += std::string(" (") + filename + ":" + std::to_string(linenum) + ")";
    throw std::runtime_error(text);
}
}  // namespace

void vl_fatal(const char* filename, int linenum, const char*, const char* msg) { fail(filename, linenum, msg); }
void vl_warn(const char* filename, int linenum, const char*, const char* msg) { fail(filename, linenum, msg); }

// The linker sends every fopen of the library here (--wrap). Only names that the design itself gave are relative.
extern "C" std::FILE* __real_fopen(const char* name, const char* mode);
extern "C" std::FILE* __wrap_fopen(const char* name, const char* mode);
extern "C" std::FILE* __wrap_fopen(const char* name, const char* mode) {
    if (netfold::data_dir == nullptr || name[0] == '/' || mode[0] != 'r') return __real_fopen(name, mode);
    return __real_fopen((std::string(netfold::data_dir) + "/" + name).c_str(), mode);
}
