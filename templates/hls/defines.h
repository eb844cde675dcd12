{% for line in header %}// {{ line }}
{% endfor %}#ifndef {{ guard }}
#define {{ guard }}

#include "netfold_hls/common.h"
{% if !sizes.is_empty() %}
// Elements of a frame.
{%- for (name, size, port) in sizes %}
const int {{ name }} = {{ size }};  // {{ port }}
{%- endfor %}
{% endif %}
// What moves in a beat.
{%- for ty in types %}
typedef {{ ty.definition }} {{ ty.name }};
{%- endfor %}

#endif
