// Part of a delay line: q is what d was LENGTH steps ago.
// MEMORY: 0 shift register (SRL), 1 LUT memory, 2 block memory, 3 UltraRAM; short lines are shift registers whatever is asked.
module netfold_line #(
    parameter int WIDTH  = 8,
    parameter int LENGTH = 16,
    parameter int MEMORY = 0
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             step,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
  generate
    if (MEMORY == 0 || LENGTH <= 33) begin : g_shift
      reg [LENGTH*WIDTH-1:0] stages;
      if (LENGTH == 1) begin : g_one
        always @(posedge clk) if (step) stages <= d;
      end else begin : g_many
        always @(posedge clk) if (step) stages <= {stages[(LENGTH-1)*WIDTH-1:0], d};
      end
      assign q = stages[(LENGTH-1)*WIDTH+:WIDTH];
      wire unused = rst;
    end else begin : g_ring
      // A ring of LENGTH - 1 words that is read before it is written, and an output register.
      localparam int WORDS = LENGTH - 1;
      localparam int AW = $clog2(WORDS);
      wire [AW-1:0] at;
      wire first, last;
      netfold_counter #(
          .N(WORDS)
      ) u_at (
          .clk(clk),
          .rst(rst),
          .step(step),
          .value(at),
          .first(first),
          .last(last)
      );
      netfold_ram #(
          .WIDTH(WIDTH),
          .DEPTH(WORDS),
          .BLOCK(MEMORY == 2),
          .ULTRA(MEMORY == 3)
      ) u_ram (
          .clk(clk),
          .we(step),
          .waddr(at),
          .wdata(d),
          .re(step),
          .raddr(at),
          .rdata(q)
      );
      wire unused = &{1'b0, first, last};
    end
  endgenerate
endmodule
