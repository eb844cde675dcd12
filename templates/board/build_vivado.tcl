# Builds {{ top }} with Vivado, out of context.
#
#   vivado -mode batch -source build_vivado.tcl                          synthesis and its reports
#   vivado -mode batch -source build_vivado.tcl -tclargs implement       placement and routing too
#   vivado -mode batch -source build_vivado.tcl -tclargs synth PART      another part
#
# Reports and checkpoints go to build/vivado.
set here [file dirname [file normalize [info script]]]
set top {{ top }}
set part {{ part }}
set mode synth
if {[llength $argv] > 0} { set mode [lindex $argv 0] }
if {[llength $argv] > 1} { set part [lindex $argv 1] }
if {$mode ni {synth implement}} { error "unknown mode $mode: synth or implement" }
set out [file join $here build vivado]
file mkdir $out

create_project -in_memory -part $part
{%- for path in sources %}
read_verilog -sv [file join $here {{ path }}]
{%- endfor %}
{%- for path in memories %}
read_mem [file join $here {{ path }}]
{%- endfor %}
read_xdc -mode out_of_context [file join $here constraints.xdc]

synth_design -top $top -part $part -mode out_of_context
write_checkpoint -force [file join $out synth.dcp]
report_utilization -hierarchical -file [file join $out utilization_synth.rpt]
report_timing_summary -file [file join $out timing_synth.rpt]

if {$mode eq "implement"} {
    opt_design
    place_design
    phys_opt_design
    route_design
    write_checkpoint -force [file join $out routed.dcp]
    report_utilization -hierarchical -file [file join $out utilization.rpt]
    report_timing_summary -file [file join $out timing.rpt]
    report_power -file [file join $out power.rpt]
}
