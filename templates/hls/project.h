{% for line in header %}// {{ line }}
{% endfor %}#ifndef {{ guard }}
#define {{ guard }}

#include "defines.h"

// Computes one frame.
void {{ project }}({{ arguments }});

#endif
