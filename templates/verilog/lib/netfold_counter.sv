// Counts steps modulo N, with registered flags for the first and the last value.
module netfold_counter #(
    parameter int N = 4,
    localparam int W = N > 1 ? $clog2(N) : 1
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         step,
    output wire [W-1:0] value,
    output wire         first,
    output wire         last
);
  generate
    if (N == 1) begin : g_constant
      assign value = 1'b0;
      assign first = 1'b1;
      assign last  = 1'b1;
      wire unused = &{1'b0, clk, rst, step};
    end else begin : g_count
      reg [W-1:0] count;
      reg is_first, is_last;
      always @(posedge clk) begin
        if (rst) begin
          count    <= '0;
          is_first <= 1'b1;
          is_last  <= 1'b0;
        end else if (step) begin
          count    <= is_last ? '0 : count + 1'b1;
          is_first <= is_last;
          is_last  <= count == W'(N - 2);
        end
      end
      assign value = count;
      assign first = is_first;
      assign last  = is_last;
    end
  endgenerate
endmodule
