// Generated: calls the HLS top function `{{ top }}` as a netfold::Model.
#include <exception>
#include <iostream>
#include <memory>
#include <mutex>

#include "{{ header }}"
#include "hls_stream.h"
#include "netfold_csim.h"
#include "netfold_model.h"

namespace {

class Project final : public netfold::Model {
  public:
    std::uint64_t input_elements() const noexcept override { return 0{% for (port, _) in inputs %} + {{ port.frame_elements() }}{% endfor %}; }
    std::uint64_t output_elements() const noexcept override { return 0{% for (port, _) in outputs %} + {{ port.frame_elements() }}{% endfor %}; }
    std::uint32_t ports() const noexcept override { return {{ inputs.len() + outputs.len() }}; }

    void run(const netfold::RunRequest& request, netfold::RunReply& reply) const noexcept override {
        // The project's functions keep state in static variables.
        static std::mutex one_at_a_time;
        try {
            const std::lock_guard<std::mutex> guard(one_at_a_time);
            simulate(request, reply);
        } catch (const std::exception& error) {
            reply.status = netfold::Status::kFailed;
            netfold::set_message(reply, error.what());
        } catch (...) {
            reply.status = netfold::Status::kFailed;
            netfold::set_message(reply, "unknown exception");
        }
    }

  private:
    void simulate(const netfold::RunRequest& request, netfold::RunReply& reply) const {
        if (request.trace != nullptr) {
            reply.status = netfold::Status::kFailed;
            netfold::set_message(reply, "a C simulation has no waveforms");
            return;
        }
        const std::int64_t* input = request.inputs;
        {%- for (port, arg) in inputs %}
        const std::int64_t* in{{ loop.index0 }}_values = input;
        input += request.frames * {{ port.frame_elements() }};
        {%- if arg.passing.is_array() %}
        const std::unique_ptr<{{ arg.type_name }}[]> in{{ loop.index0 }}(new {{ arg.type_name }}[{{ port.frame_elements() }}]);
        {%- endif %}
        {%- endfor %}
        std::int64_t* output = request.outputs;
        {%- for (port, arg) in outputs %}
        std::int64_t* out{{ loop.index0 }}_values = output;
        output += request.frames * {{ port.frame_elements() }};
        {%- if arg.passing.is_array() %}
        const std::unique_ptr<{{ arg.type_name }}[]> out{{ loop.index0 }}(new {{ arg.type_name }}[{{ port.frame_elements() }}]);
        {%- endif %}
        {%- endfor %}
        for (std::uint64_t frame = 0; frame < request.frames; ++frame) {
            {%- for (port, arg) in inputs %}
            {%- if arg.passing.is_array() %}
            for (unsigned i = 0; i < {{ port.frame_elements() }}; ++i) netfold::set_raw(in{{ loop.index0 }}[i], 0, {{ port.element_bits }}, *in{{ loop.index0 }}_values++);
            {%- else %}
            hls::stream<{{ arg.type_name }}> in{{ loop.index0 }};
            for (unsigned beat = 0; beat < {{ port.beats_per_frame }}; ++beat) {
                {{ arg.type_name }} word;
                {%- if arg.passing.is_bits() %}
                word = 0;
                for (unsigned i = 0; i < {{ port.elements_per_beat }}; ++i) netfold::set_raw(word, i * {{ port.element_bits }}, {{ port.element_bits }}, *in{{ loop.index0 }}_values++);
                {%- else %}
                for (unsigned i = 0; i < {{ port.elements_per_beat }}; ++i) netfold::set_raw(word[i], 0, {{ port.element_bits }}, *in{{ loop.index0 }}_values++);
                {%- endif %}
                in{{ loop.index0 }}.write(word);
            }
            {%- endif %}
            request.beats[{{ loop.index0 }}] += {{ port.beats_per_frame }};
            {%- endfor %}
            {%- for (port, arg) in outputs %}
            {%- if !arg.passing.is_array() %}
            hls::stream<{{ arg.type_name }}> out{{ loop.index0 }};
            {%- endif %}
            {%- endfor %}

            {{ top }}({% for (port, arg) in inputs %}in{{ loop.index0 }}{% if arg.passing.is_array() %}.get(){% endif %}, {% endfor %}{% for (port, arg) in outputs %}out{{ loop.index0 }}{% if arg.passing.is_array() %}.get(){% endif %}{% if !loop.last %}, {% endif %}{% endfor %});
            {% for (port, arg) in inputs %}
            {%- if !arg.passing.is_array() %}
            while (!in{{ loop.index0 }}.empty()) {
                (void)in{{ loop.index0 }}.read();
                netfold::add_violation(reply, netfold::ViolationKind::kExtraBeat, 0, 0, frame * {{ port.beats_per_frame }});
            }
            {%- endif %}
            {%- endfor %}
            {%- for (port, arg) in outputs %}
            {%- let o = loop.index0 %}
            {%- if arg.passing.is_array() %}
            for (unsigned i = 0; i < {{ port.frame_elements() }}; ++i) *out{{ o }}_values++ = netfold::get_raw(out{{ o }}[i], 0, {{ port.element_bits }}, {{ port.signed }});
            {%- else %}
            for (unsigned beat = 0; beat < {{ port.beats_per_frame }}; ++beat) {
                if (out{{ o }}.empty()) {
                    netfold::add_violation(reply, netfold::ViolationKind::kExtraBeat, {{ o }}, 0, frame * {{ port.beats_per_frame }} + beat);
                    out{{ o }}_values += {{ port.elements_per_beat }};
                    continue;
                }
                {{ arg.type_name }} word = out{{ o }}.read();
                {%- if arg.passing.is_bits() %}
                for (unsigned i = 0; i < {{ port.elements_per_beat }}; ++i) *out{{ o }}_values++ = netfold::get_raw(word, i * {{ port.element_bits }}, {{ port.element_bits }}, {{ port.signed }});
                {%- else %}
                for (unsigned i = 0; i < {{ port.elements_per_beat }}; ++i) *out{{ o }}_values++ = netfold::get_raw(word[i], 0, {{ port.element_bits }}, {{ port.signed }});
                {%- endif %}
            }
            while (!out{{ o }}.empty()) {
                (void)out{{ o }}.read();
                netfold::add_violation(reply, netfold::ViolationKind::kExtraBeat, {{ o }}, 0, (frame + 1) * {{ port.beats_per_frame }});
            }
            {%- endif %}
            request.beats[{{ inputs.len() + o }}] += {{ port.beats_per_frame }};
            {%- endfor %}
        }
    }
};

}  // namespace

netfold::Model* netfold_model_create(std::uint32_t abi, const char*) noexcept {
    if (abi != netfold::kAbiVersion) return nullptr;
    try {
        return new Project;
    } catch (...) {
        return nullptr;
    }
}
