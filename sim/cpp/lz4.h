// The two functions of LZ4 that Verilator's FST writer calls, so that waveforms need no LZ4 library. A block here is one run of
// literals, which is valid in the LZ4 block format (lz4_Block_format.md, "End of block conditions") and compresses nothing.
#ifndef NETFOLD_LZ4_H
#define NETFOLD_LZ4_H

#include <cstring>

inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    if (size < 0 || capacity < LZ4_compressBound(size)) return 0;
    char* out = target;
    // The token's upper half is the number of literals; 15 says that bytes follow which add up to the rest.
    *out++ = static_cast<char>((size < 15 ? size : 15) << 4);
    if (size >= 15) {
        int rest = size - 15;
        for (; rest >= 255; rest -= 255) *out++ = static_cast<char>(255);
        *out++ = static_cast<char>(rest);
    }
    if (size > 0) std::memcpy(out, source, static_cast<std::size_t>(size));
    return static_cast<int>(out - target) + size;
}

#endif
