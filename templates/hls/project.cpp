{% for line in header %}// {{ line }}
{% endfor %}#include "{{ project }}.h"

#include "parameters.h"

void {{ project }}({{ arguments }}) {
#ifdef __SYNTHESIS__
{%- for line in built.interface %}
#pragma HLS {{ line }}
{%- endfor %}
#endif
{% for line in built.locals %}
    {{ line }}
{%- endfor %}
{% if !built.directives.is_empty() %}
#ifdef __SYNTHESIS__
{%- for line in built.directives %}
#pragma HLS {{ line }}
{%- endfor %}
#endif
{% endif %}
{%- for (about, calls) in steps %}
    // {{ about }}
    {%- for call in calls.iter() %}
    {{ call }}
    {%- endfor %}
{%- endfor %}
}
