# make lint       checks the sources with Verilator
# make yosys      synthesizes with Yosys
# make vivado     synthesizes with Vivado, out of context
# make implement  places and routes with Vivado, too
RTL := $(sort $(wildcard rtl/*.sv))

.PHONY: all lint yosys vivado implement clean
all: lint

lint:
	verilator --lint-only -Wall --top-module {{ top }} $(RTL)

yosys: yosys.json
yosys.json: synth.ys $(RTL)
	yosys -q synth.ys

vivado:
	vivado -mode batch -nojournal -nolog -source build_vivado.tcl

implement:
	vivado -mode batch -nojournal -nolog -source build_vivado.tcl -tclargs implement

clean:
	rm -rf build yosys.json yosys_netlist.json
