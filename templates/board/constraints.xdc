# {{ clock_mhz }} MHz
create_clock -name aclk -period {{ period_ns }} [get_ports aclk]
