{% for line in header %}// {{ line }}
{% endfor %}#ifndef {{ guard }}
#define {{ guard }}

#include "defines.h"
#include "netfold_hls/layers.h"
{%- for path in includes %}
#include "{{ path }}"
{%- endfor %}
{% for block in blocks %}
// {{ block.about }}
{% for array in block.arrays %}{{ array }}{% endfor -%}
struct {{ block.name }} {
{{ block.members }}};
{% endfor %}
#endif
