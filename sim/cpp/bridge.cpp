#include "netfold-sim/cpp/bridge.h"

#include <algorithm>

#include "netfold-sim/src/bridge.rs.h"

namespace netfold {

Report run_model(const Model& model, const Options& options, rust::Slice<const std::int64_t> inputs,
                 rust::Slice<std::int64_t> outputs, rust::Slice<std::uint64_t> first_input,
                 rust::Slice<std::uint64_t> last_output, rust::Slice<std::uint64_t> beats) {
    Report report{};
    const std::uint64_t frames = options.frames;
    if (inputs.size() != frames * model.input_elements() || outputs.size() != frames * model.output_elements() ||
        first_input.size() != frames || last_output.size() != frames || beats.size() != model.ports()) {
        report.status = static_cast<std::uint32_t>(Status::kFailed);
        report.message = "the library was built for other ports";
        return report;
    }
    RunRequest request{};
    request.frames = frames;
    request.inputs = inputs.data();
    request.outputs = outputs.data();
    request.first_input = first_input.data();
    request.last_output = last_output.data();
    request.beats = beats.data();
    request.stalls = options.stalls;
    request.stall_seed = options.stall_seed;
    request.idle_limit = options.idle_limit;
    request.max_cycles = options.max_cycles;
    request.drain_cycles = options.drain_cycles;
    const std::string trace(options.trace);
    request.trace = trace.empty() ? nullptr : trace.c_str();
    RunReply reply{};
    model.run(request, reply);
    report.status = static_cast<std::uint32_t>(reply.status);
    report.cycles = reply.cycles;
    report.violation_count = reply.violation_count;
    const std::uint64_t kept = std::min<std::uint64_t>(reply.violation_count, kViolationsKept);
    for (std::uint64_t i = 0; i < kept; ++i) {
        const Violation& v = reply.violations[i];
        report.violations.push_back(RawViolation{static_cast<std::uint32_t>(v.kind), v.port, v.cycle, v.beat});
    }
    report.message = rust::String::lossy(reply.message);
    return report;
}

std::uint32_t abi_version() { return kAbiVersion; }

}  // namespace netfold
