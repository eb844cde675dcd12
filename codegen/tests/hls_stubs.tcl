# Stands in for the vendor's shells: every command of theirs that a script may use, with its arguments on standard output.
# tclsh hls_stubs.tcl SCRIPT ARGUMENTS: a command that is not here, a variable that is not set or a bracket too many is an error.
foreach command {
    open_project set_top add_files open_solution set_part create_clock set_clock_uncertainty csim_design csynth_design
    cosim_design export_design close_project synth_design opt_design report_utilization report_timing_summary get_ports
} {
    proc $command args "puts \"CALL $command \$args\""
}
rename exec vendor_exec
proc exec args {
    puts "CALL exec $args"
}
set script [lindex $::argv 0]
set ::argv [lrange $::argv 1 end]
source $script
