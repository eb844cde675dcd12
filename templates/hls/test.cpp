{% for line in header %}// {{ line }}
{% endfor %}//
// Runs {{ frames }} frame(s) of tb_data and compares every integer with the expected one; returns 1 on a difference.
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "firmware/{{ project }}.h"

// The integers of the next line; false at the end of the file.
static bool read_frame(std::ifstream& file, std::vector<long long>& values) {
    std::string line;
    if (!std::getline(file, line)) return false;
    std::istringstream numbers(line);
    values.clear();
    for (long long value; numbers >> value;) values.push_back(value);
    return true;
}

int main() {
    std::ifstream inputs("tb_data/tb_input_features.dat");
    std::ifstream outputs("tb_data/tb_output_predictions.dat");
    std::ofstream results("tb_data/csim_results.log");
    if (!inputs || !outputs) {
        std::cerr << "tb_data was not found: run this from the project's folder\n";
        return 1;
    }
    long long frames = 0;
    long long differences = 0;
    std::vector<long long> values;
    std::vector<long long> expected;
    while (read_frame(inputs, values)) {
        if (values.size() != {{ input_elements }} || !read_frame(outputs, expected)) {
            std::cerr << "frame " << frames << ": the data has the wrong length\n";
            return 1;
        }
        std::vector<long long>::const_iterator value = values.begin();
        std::vector<long long> got;
{%- for port in ports %}
{%- if stream %}
        hls::stream<{{ port.type_name }}> {{ port.name }}("{{ port.name }}");
{%- if !port.output %}
        for (int beat = 0; beat < {{ port.beats }}; ++beat) {
            {{ port.type_name }} word;
            for (int lane = 0; lane < {{ port.lanes }}; ++lane) nf::set(word[lane], *value++);
            {{ port.name }}.write(word);
        }
{%- endif %}
{%- else %}
        std::vector<{{ port.type_name }}> {{ port.name }}({{ port.elements }});
{%- if !port.output %}
        for (int i = 0; i < {{ port.elements }}; ++i) nf::set({{ port.name }}[i], *value++);
{%- endif %}
{%- endif %}
{%- endfor %}
        {{ project }}({% for port in ports %}{{ port.name }}{% if !stream %}.data(){% endif %}{% if !loop.last %}, {% endif %}{% endfor %});
{%- for port in ports %}
{%- if port.output %}
{%- if stream %}
        while (!{{ port.name }}.empty()) {
            const {{ port.type_name }} word = {{ port.name }}.read();
            for (int lane = 0; lane < {{ port.lanes }}; ++lane) got.push_back(nf::raw(word[lane]).to_int64());
        }
{%- else %}
        for (int i = 0; i < {{ port.elements }}; ++i) got.push_back(nf::raw({{ port.name }}[i]).to_int64());
{%- endif %}
{%- endif %}
{%- endfor %}
        for (std::size_t i = 0; i < got.size(); ++i) results << got[i] << (i + 1 < got.size() ? ' ' : '\n');
        if (got != expected) {
            ++differences;
            std::cerr << "frame " << frames << " differs from what is expected\n";
        }
        ++frames;
    }
    std::cout << frames << " frames, " << differences << " different\n";
    return frames > 0 && differences == 0 ? 0 : 1;
}
