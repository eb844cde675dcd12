#ifndef {{ guard }}
#define {{ guard }}

{{ definition }}
#endif
