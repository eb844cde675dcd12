// One step of a binary search in sorted thresholds: reads the threshold that `found`, the bits found so far, leads to for the
// channel group, and appends whether x reaches it. Word {group, found} of the memory is that threshold.
// Latency: 1, with REGISTERED=1 (large memories) 2.
module netfold_threshold_step #(
    parameter int BITS = 8,         // of x and the thresholds, signed
    parameter int STEP = 1,         // bits found so far
    parameter int GROUPS = 1,
    parameter bit REGISTERED = 0,
    parameter bit BLOCK = 0,
    parameter bit FROM_FILE = 0,
    parameter FILE = "",
    parameter int INIT_BITS = 1,
    parameter [INIT_BITS-1:0] INIT = '0,
    localparam int GW = GROUPS > 1 ? $clog2(GROUPS) : 1,
    localparam int FW = STEP > 0 ? STEP : 1
) (
    input  wire            clk,
    input  wire [BITS-1:0] x,
    input  wire [  GW-1:0] group,
    input  wire [  FW-1:0] found,
    output reg  [BITS-1:0] x_out,
    output reg  [  GW-1:0] group_out,
    output reg  [  STEP:0] found_out
);
  localparam int DEPTH = GROUPS << STEP;
  localparam int AW = DEPTH > 1 ? $clog2(DEPTH) : 1;
  wire [GW+FW-1:0] address;
  generate
    if (GROUPS == 1) begin : g_single
      assign address = {group, found};
    end else if (STEP == 0) begin : g_root
      assign address = {found, group};
    end else begin : g_grouped
      assign address = {group, found};
    end
  endgenerate
  wire [BITS-1:0] threshold;
  netfold_rom #(
      .WIDTH(BITS),
      .DEPTH(DEPTH),
      .BLOCK(BLOCK),
      .REGISTERED(REGISTERED),
      .FROM_FILE(FROM_FILE),
      .FILE(FILE),
      .INIT_BITS(INIT_BITS),
      .INIT(INIT)
  ) u_rom (
      .clk (clk),
      .en  (1'b1),
      .addr(address[AW-1:0]),
      .data(threshold)
  );
  wire [BITS-1:0] x_now;
  wire [GW-1:0] group_now;
  wire [FW-1:0] found_now;
  netfold_delay #(
      .WIDTH (BITS + GW + FW),
      .STAGES(REGISTERED ? 1 : 0)
  ) u_now (
      .clk(clk),
      .rst(1'b0),
      .d  ({x, group, found}),
      .q  ({x_now, group_now, found_now})
  );
  wire reached = $signed(x_now) >= $signed(threshold);
  always @(posedge clk) begin
    x_out <= x_now;
    group_out <= group_now;
  end
  generate
    if (STEP == 0) begin : g_first
      always @(posedge clk) found_out <= reached;
      wire unused_found = &{1'b0, found_now};
    end else begin : g_next
      always @(posedge clk) found_out <= {found_now, reached};
    end
  endgenerate
  wire unused = &{1'b0, address};
endmodule
