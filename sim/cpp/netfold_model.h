// The boundary between netfold and a compiled simulation.
//
// A generated shared library derives one class from netfold::Model and exports the factory netfold_model_create. Only plain
// data and virtual calls cross the boundary: no containers, no exceptions, no memory that one side allocates and the other frees
// (the virtual destructor frees a model inside the library that made it).
#ifndef NETFOLD_MODEL_H
#define NETFOLD_MODEL_H

#include <cstddef>
#include <cstdint>

namespace netfold {

// Changes whenever a struct or a virtual function below changes; the factory refuses a caller of another version.
constexpr std::uint32_t kAbiVersion = 1;

enum class Status : std::uint32_t {
    kDone = 0,       // every input beat was taken and every output beat arrived
    kDeadlock = 1,   // no handshake on any port for RunRequest::idle_limit cycles
    kMaxCycles = 2,  // RunRequest::max_cycles passed
    kFailed = 3,     // the model stopped by itself or broke; RunReply::message says why
};

enum class ViolationKind : std::uint32_t {
    kValidDropped = 0,  // tvalid fell without a handshake
    kDataChanged = 1,   // tdata or tlast changed while tvalid waited for tready
    kLastMissing = 2,   // tlast low on the last beat of a frame
    kLastEarly = 3,     // tlast high on another beat
    kPadding = 4,       // a padding bit of tdata above the last element was set
    kExtraBeat = 5,     // a beat after the last frame's last beat, or more words in a stream than the frames have
};

struct Violation {
    ViolationKind kind;
    std::uint32_t port;   // index among the output ports
    std::uint64_t cycle;  // cycles since reset was released
    std::uint64_t beat;   // beats handed over on this port before
};

struct RunRequest {
    std::uint64_t frames;
    // All input ports one after the other; of each port `frames` frames, elements in stream order.
    const std::int64_t* inputs;
    // The same for the output ports; written by the run.
    std::int64_t* outputs;
    // One entry a frame: cycle of the first input beat's handshake (smallest over the input ports), and of the last output
    // beat's handshake (largest over the output ports). The caller fills them with UINT64_MAX and 0.
    std::uint64_t* first_input;
    std::uint64_t* last_output;
    // One entry a port, inputs then outputs: beats handed over.
    std::uint64_t* beats;
    std::uint64_t stall_seed;
    std::uint64_t idle_limit;
    std::uint64_t max_cycles;
    std::uint64_t drain_cycles;  // cycles to watch for extra beats after the last one
    const char* trace;           // waveform file, or null
    bool stalls;
};

constexpr std::size_t kViolationsKept = 16;
constexpr std::size_t kMessageBytes = 512;

struct RunReply {
    Status status;
    std::uint64_t cycles;           // from the release of reset to the last handshake, both included
    std::uint64_t violation_count;  // of all violations; the first kViolationsKept are listed
    Violation violations[kViolationsKept];
    char message[kMessageBytes];  // zero-terminated; empty unless status is kFailed
};

// One compiled design. `run` builds its own simulation from reset, so several threads may call it at once.
class Model {
  public:
    virtual ~Model() = default;
    // Elements of one frame, over all input or output ports.
    virtual std::uint64_t input_elements() const noexcept = 0;
    virtual std::uint64_t output_elements() const noexcept = 0;
    virtual std::uint32_t ports() const noexcept = 0;
    virtual void run(const RunRequest& request, RunReply& reply) const noexcept = 0;
};

}  // namespace netfold

// `data_dir`: the folder that relative file names in the design are read from. Null when `abi` is not kAbiVersion or memory is out.
extern "C" __attribute__((visibility("default"))) netfold::Model* netfold_model_create(std::uint32_t abi,
                                                                                       const char* data_dir) noexcept;

#endif
