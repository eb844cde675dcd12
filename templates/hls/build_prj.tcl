{% for line in header %}# {{ line }}
{% endfor %}#
# vitis_hls -f build_prj.tcl "reset=1 csim=1 synth=1 cosim=0 export=0 vsynth=0"
# Every flag is optional; without any, the values below hold.

array set flags {
    reset  0
    csim   1
    synth  1
    cosim  0
    export 0
    vsynth 0
}
foreach argument $::argv {
    foreach word [split $argument] {
        if {[regexp {^(\w+)=([01])$} $word -> flag value]} {
            if {![info exists flags($flag)]} {
                error "unknown flag $flag: the flags are [lsort [array names flags]]"
            }
            set flags($flag) $value
        }
    }
}

set project {{ project }}
set part {{ part }}
set clock_period {{ period }}
set clock_uncertainty {{ uncertainty }}%
set compiler_flags "-std=c++14"

# Runs a step and says how long it took.
proc step {name body} {
    puts "***** $name *****"
    set start [clock seconds]
    uplevel 1 $body
    puts "***** $name: [expr {[clock seconds] - $start}] s *****"
}

if {$flags(reset)} {
    open_project -reset ${project}_prj
} else {
    open_project ${project}_prj
}
set_top $project
add_files firmware/$project.cpp -cflags $compiler_flags
add_files -tb ${project}_test.cpp -cflags $compiler_flags
add_files -tb tb_data
if {$flags(reset)} {
    open_solution -reset solution1 -flow_target vivado
} else {
    open_solution solution1 -flow_target vivado
}
set_part $part
create_clock -period $clock_period -name default
set_clock_uncertainty $clock_uncertainty default

if {$flags(csim)} {
    step "C simulation" {
        csim_design
    }
}
if {$flags(synth)} {
    step "C synthesis" {
        csynth_design
    }
}
if {$flags(cosim)} {
    step "C/RTL cosimulation" {
        cosim_design -trace_level none
    }
}
if {$flags(export)} {
    step "IP export" {
        export_design -format ip_catalog
    }
}
if {$flags(vsynth)} {
    step "Vivado synthesis" {
        exec vivado -mode batch -source vivado_synth.tcl >@ stdout 2>@ stderr
    }
}
close_project
exit
