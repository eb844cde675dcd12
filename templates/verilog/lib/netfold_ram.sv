// Memory with one write and one registered read port. Reading the word that is being written gives its old value.
module netfold_ram #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter bit BLOCK = 0,   // block memory; otherwise as the tool likes
    parameter bit ULTRA = 0,   // UltraRAM
    localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  wire             clk,
    input  wire             we,
    input  wire [   AW-1:0] waddr,
    input  wire [WIDTH-1:0] wdata,
    input  wire             re,
    input  wire [   AW-1:0] raddr,
    output reg  [WIDTH-1:0] rdata
);
  generate
    if (ULTRA) begin : g_ultra
      (* ram_style = "ultra" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      always @(posedge clk) begin
        if (we) mem[waddr] <= wdata;
        if (re) rdata <= mem[raddr];
      end
    end else if (BLOCK) begin : g_block
      (* ram_style = "block" *) reg [WIDTH-1:0] mem[0:DEPTH-1];
      always @(posedge clk) begin
        if (we) mem[waddr] <= wdata;
        if (re) rdata <= mem[raddr];
      end
    end else begin : g_auto
      reg [WIDTH-1:0] mem[0:DEPTH-1];
      always @(posedge clk) begin
        if (we) mem[waddr] <= wdata;
        if (re) rdata <= mem[raddr];
      end
    end
  endgenerate
endmodule
