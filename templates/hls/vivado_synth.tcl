{% for line in header %}# {{ line }}
{% endfor %}#
# vivado -mode batch -source vivado_synth.tcl [-tclargs FOLDER]
# Synthesizes the Verilog that C synthesis left, out of context: FOLDER, or the first of the usual places that has any.

set top {{ project }}
set part {{ part }}
set clock_period {{ period }}

set folders $::argv
if {[llength $folders] == 0} {
    set folders [list ${top}_prj/solution1/syn/verilog ${top}_hls/hls/syn/verilog]
}
set sources {}
foreach folder $folders {
    set sources [glob -nocomplain -directory $folder *.v]
    if {[llength $sources] > 0} {
        break
    }
}
if {[llength $sources] == 0} {
    error "no Verilog in $folders: run C synthesis first"
}
add_files $sources
set memories [glob -nocomplain -directory $folder *.dat]
if {[llength $memories] > 0} {
    add_files $memories
}
synth_design -top $top -part $part -mode out_of_context
create_clock -period $clock_period -name ap_clk [get_ports ap_clk]
opt_design
report_utilization -file vivado_synth.rpt
report_timing_summary -file vivado_timing.rpt
