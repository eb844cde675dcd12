// Generated: drives the Verilated design `{{ top }}` as a netfold::Model.
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "Vnetfold.h"
#include "netfold_axis.h"
#include "netfold_data_dir.h"
#include "netfold_model.h"
#include "verilated.h"
{%- if trace == "fst" %}
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
{%- elif trace == "vcd" %}
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
{%- endif %}

namespace {

constexpr std::uint64_t kResetCycles = 16;
constexpr std::uint64_t kHalfPeriodNs = 5;

{%- for port in inputs %}
const netfold::Shape kInput{{ loop.index0 }}{{ "{" }}{{ port.element_bits }}, {{ port.signed }}, {{ port.elements_per_beat }}, {{ port.beats_per_frame }}{{ "}" }};
{%- endfor %}
{%- for port in outputs %}
const netfold::Shape kOutput{{ loop.index0 }}{{ "{" }}{{ port.element_bits }}, {{ port.signed }}, {{ port.elements_per_beat }}, {{ port.beats_per_frame }}{{ "}" }};
{%- endfor %}

class Clocked {
  public:
    explicit Clocked(const char* trace) : dut_(&context_, "{{ top }}") {
        {%- if trace != "" %}
        if (trace != nullptr) {
            trace_ = std::make_unique<Trace>();
            dut_.trace(trace_.get(), 99);
            trace_->open(trace);
            if (!trace_->isOpen()) throw std::runtime_error(std::string("cannot write the waveform file ") + trace);
        }
        {%- else %}
        if (trace != nullptr) throw std::runtime_error("this library was built without waveform output");
        {%- endif %}
    }

    ~Clocked() {
        {%- if trace != "" %}
        if (trace_) trace_->close();
        {%- endif %}
    }

    Vnetfold& dut() { return dut_; }
    bool finished() const { return context_.gotFinish(); }

    void half(int level) {
        dut_.aclk = level;
        dut_.eval();
        {%- if trace != "" %}
        if (trace_) trace_->dump(context_.time());
        {%- endif %}
        context_.timeInc(kHalfPeriodNs);
    }

  private:
    // Registers without a reset or an initial value start at random: a design must not depend on them.
    struct Context : VerilatedContext {
        Context() {
            randReset(2);
            randSeed(1);
            {%- if trace != "" %}
            traceEverOn(true);
            {%- endif %}
        }
    };

    Context context_;
    Vnetfold dut_;
    {%- if trace != "" %}
    std::unique_ptr<Trace> trace_;
    {%- endif %}
};

class Design final : public netfold::Model {
  public:
    explicit Design(const char* data_dir) : data_dir_(data_dir) {}

    std::uint64_t input_elements() const noexcept override { return 0{% for _ in inputs %} + kInput{{ loop.index0 }}.elements(){% endfor %}; }
    std::uint64_t output_elements() const noexcept override { return 0{% for _ in outputs %} + kOutput{{ loop.index0 }}.elements(){% endfor %}; }
    std::uint32_t ports() const noexcept override { return {{ inputs.len() + outputs.len() }}; }

    void run(const netfold::RunRequest& request, netfold::RunReply& reply) const noexcept override {
        netfold::data_dir = data_dir_.c_str();
        try {
            simulate(request, reply);
        } catch (const std::exception& error) {
            reply.status = netfold::Status::kFailed;
            netfold::set_message(reply, error.what());
        } catch (...) {
            reply.status = netfold::Status::kFailed;
            netfold::set_message(reply, "unknown exception");
        }
        netfold::data_dir = nullptr;
    }

  private:
    void simulate(const netfold::RunRequest& request, netfold::RunReply& reply) const {
        Clocked clocked(request.trace);
        Vnetfold& dut = clocked.dut();
        const std::int64_t* input = request.inputs;
        std::int64_t* output = request.outputs;
        {%- for port in inputs %}
        netfold::InputStream in{{ loop.index0 }}(dut.{{ port.prefix }}_tvalid, dut.{{ port.prefix }}_tready, dut.{{ port.prefix }}_tlast, dut.{{ port.prefix }}_tdata, kInput{{ loop.index0 }}, input, request, {{ loop.index0 }});
        input += request.frames * kInput{{ loop.index0 }}.elements();
        {%- endfor %}
        {%- for port in outputs %}
        netfold::OutputStream out{{ loop.index0 }}(dut.{{ port.prefix }}_tvalid, dut.{{ port.prefix }}_tready, dut.{{ port.prefix }}_tlast, dut.{{ port.prefix }}_tdata, kOutput{{ loop.index0 }}, output, request, reply, {{ inputs.len() }}, {{ loop.index0 }});
        output += request.frames * kOutput{{ loop.index0 }}.elements();
        {%- endfor %}

        dut.aresetn = 0;
        {%- for _ in inputs %}
        in{{ loop.index0 }}.reset();
        {%- endfor %}
        {%- for _ in outputs %}
        out{{ loop.index0 }}.reset();
        {%- endfor %}
        for (std::uint64_t i = 0; i < kResetCycles; ++i) {
            clocked.half(0);
            clocked.half(1);
        }
        dut.aresetn = 1;

        std::uint64_t last_activity = 0;
        std::uint64_t drain = request.drain_cycles;
        for (std::uint64_t cycle = 0;; ++cycle) {
            {%- for _ in inputs %}
            in{{ loop.index0 }}.advance();
            {%- endfor %}
            {%- for _ in outputs %}
            out{{ loop.index0 }}.advance();
            {%- endfor %}
            clocked.half(0);
            bool active = false;
            {%- for _ in inputs %}
            active |= in{{ loop.index0 }}.sample(cycle);
            {%- endfor %}
            {%- for _ in outputs %}
            active |= out{{ loop.index0 }}.sample(cycle);
            {%- endfor %}
            clocked.half(1);
            if (active) {
                last_activity = cycle;
                reply.cycles = cycle + 1;
            }
            const bool done = true{% for _ in inputs %} && in{{ loop.index0 }}.done(){% endfor %}{% for _ in outputs %} && out{{ loop.index0 }}.done(){% endfor %};
            if (done) {
                if (drain-- == 0) break;
                continue;
            }
            if (clocked.finished()) throw std::runtime_error("the design called $finish before the last output beat");
            if (cycle - last_activity >= request.idle_limit) {
                reply.status = netfold::Status::kDeadlock;
                break;
            }
            if (cycle >= request.max_cycles) {
                reply.status = netfold::Status::kMaxCycles;
                break;
            }
        }
        dut.final();
    }

    std::string data_dir_;
};

}  // namespace

netfold::Model* netfold_model_create(std::uint32_t abi, const char* data_dir) noexcept {
    if (abi != netfold::kAbiVersion) return nullptr;
    try {
        return new Design(data_dir);
    } catch (...) {
        return nullptr;
    }
}
