// The cxx bridge's C++ side: calls a netfold::Model with slices of Rust.
#ifndef NETFOLD_BRIDGE_H
#define NETFOLD_BRIDGE_H

#include <cstdint>

#include "netfold_model.h"
#include "rust/cxx.h"

namespace netfold {

struct Options;
struct Report;

// Fails (status kFailed) when a slice does not have the length that the model needs.
Report run_model(const Model& model, const Options& options, rust::Slice<const std::int64_t> inputs,
                 rust::Slice<std::int64_t> outputs, rust::Slice<std::uint64_t> first_input,
                 rust::Slice<std::uint64_t> last_output, rust::Slice<std::uint64_t> beats);

std::uint32_t abi_version();

}  // namespace netfold

#endif
