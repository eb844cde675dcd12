// Read-only memory with PORTS read ports, filled from a hexadecimal file (one word a line) or from a parameter (word i in bits
// [i*WIDTH +: WIDTH]). Reads are registered with an enable, or combinational (REGISTERED=0).
module netfold_rom #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int PORTS = 1,
    parameter bit BLOCK = 0,  // block memory; otherwise logic
    parameter bit REGISTERED = 1,
    parameter bit FROM_FILE = 0,
    parameter FILE = "",
    parameter int INIT_BITS = 1,
    parameter [INIT_BITS-1:0] INIT = '0,
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire                   clk,
    input  wire                   en,
    input  wire [   PORTS*AW-1:0] addr,
    output wire [PORTS*WIDTH-1:0] data
);
  generate
    if (DEPTH == 1) begin : g_constant
      assign data = {PORTS{INIT}};
      wire unused = &{1'b0, clk, en, addr, BLOCK, REGISTERED, FROM_FILE, FILE[0]};
    end else if (BLOCK) begin : g_block
      (* rom_style = "block", ram_style = "block" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      if (FROM_FILE) begin : g_file
        initial $readmemh(FILE, mem);
      end else begin : g_init
        initial for (int i = 0; i < DEPTH; i = i + 1) mem[i] = INIT[i*WIDTH+:WIDTH];
      end
      for (genvar p = 0; p < PORTS; p = p + 1) begin : g_port
        reg [WIDTH-1:0] word;
        always @(posedge clk) if (en) word <= mem[addr[p*AW+:AW]];
        assign data[p*WIDTH+:WIDTH] = word;
      end
    end else begin : g_logic
      (* rom_style = "distributed", ram_style = "logic" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      if (FROM_FILE) begin : g_file
        initial $readmemh(FILE, mem);
      end else begin : g_init
        initial for (int i = 0; i < DEPTH; i = i + 1) mem[i] = INIT[i*WIDTH+:WIDTH];
      end
      for (genvar p = 0; p < PORTS; p = p + 1) begin : g_port
        if (REGISTERED) begin : g_registered
          reg [WIDTH-1:0] word;
          always @(posedge clk) if (en) word <= mem[addr[p*AW+:AW]];
          assign data[p*WIDTH+:WIDTH] = word;
        end else begin : g_direct
          assign data[p*WIDTH+:WIDTH] = mem[addr[p*AW+:AW]];
          wire unused = &{1'b0, clk, en};
        end
      end
    end
  endgenerate
endmodule
